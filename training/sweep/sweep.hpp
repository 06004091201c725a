#pragma once
// A sweep: measures at every point of a grid of device settings, kept point by point, written as one netCDF-4 file.
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/api/session.hpp"
#include "training/sweep/bench.hpp"
#include "training/sweep/measure.hpp"
#include "training/sweep/point.hpp"
#include "training/sweep/record.hpp"

namespace lightloop::sweeps {

constexpr std::int64_t kFormatVersion = 2;

enum class Engine {
  together,   ///< up to 64 points side by side as one ensemble where the device offers that, others one by one
  alone,      ///< one device after the other
  threads,    ///< a device per thread
  elsewhere,  ///< handed out: see Sweep::elsewhere
};

/// A measure as it is told apart from others: its name and, as JSON, its name and arguments.
struct MeasureName {
  std::string name, identity;
};

using OpenSession = std::shared_ptr<Session>;

/// What is asked for. Equal sweeps give equal bits, whatever the engine, the thread count, and however often they were
/// interrupted: a point is known by device, settings, measures, seed and repeat.
struct Sweep {
  std::string device;
  std::vector<Axis> axes;
  std::vector<MeasureName> measures;
  /// All measures at a point, in order, on a device opened for it (or, attached, configured for it). Called from
  /// several threads.
  std::function<Record(const OpenSession&, const Point&)> measure_at;
  Index repeats = 1;  ///< each is another device, another generator
  std::uint64_t seed = 0;
  std::string out;  ///< file; empty: none
  bool overwrite = false;
  Engine engine = Engine::together;
  bool nan_where_it_fails = false;  ///< a point that cannot be measured becomes NaN; else its exception is thrown
  Bench bench;
  std::optional<bool> attached;  ///< one device stays open; not given: where `bench` asks for that, or not simulated
  std::string creator;           ///< what else takes part, for the file: "numpy 1.24"

  /// Called now and then from the thread that called; what it throws ends the sweep, which can go on later.
  std::function<void()> poll = [] {};
  /// Finished points, all points, the one just finished; at first what was finished before ("").
  std::function<void(Index done, Index total, const std::string& where)> progress = {};
  /// Engine::elsewhere: answers every point by calling `done(i, record)`, in any order, from this thread.
  std::function<void(const std::vector<const Point*>& points, const std::function<void(Index, Record)>& done)>
      elsewhere;
  /// The text of an exception that belongs to a point (its device broke down), "" for any other.
  std::function<std::string(std::exception_ptr)> failure_of;
  /// Seconds, for the times and the drift of a bench.
  std::function<double()> clock;

  Sweep();
};

/// Runs what is not yet done. Returns the netCDF-4 file as bytes; with `out` it is also written there, whole or not at
/// all, and a complete file of the same sweep is only read back. Throws FileError for a file of another sweep (unless
/// `overwrite`), Refused beyond a limit of the bench, InvalidParameter, and what the measures throw; what was finished
/// before is kept in `out`.parts.
std::string run(const Registry& registry, const Sweep& sweep);

/// Type and message of an exception of a point that cannot be: OutOfRange, DeviceError; "" for any other.
std::string physical_failure(std::exception_ptr error);

/// One point on a device opened for it: nothing else decides the answer, so it may be done anywhere, and twice.
Record measure_alone(const Registry& registry, const Sweep& sweep, const Point& point);

}  // namespace lightloop::sweeps
