#pragma once
// The one contract: a Device is a raw physical transducer with a digital face on both sides. Codes in, codes out.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/param.hpp"
#include "driver/api/frames.hpp"

namespace lightloop {

/// What the number of a component's events goes with: a transposed pass shows the outputs and reads the inputs.
enum class CostPer { frame, input, output };

/// What one kind of component takes of the energy: its events (conversions, cells read, phases held) and joules.
struct CostPart {
  std::string name;                          ///< "adc", "dac", "laser", "hold", "cells", ...
  double frame_events = 0, frame_j = 0;      ///< per frame
  double program_events = 0, program_j = 0;  ///< per program()
  double latency_s = 0;                      ///< that a frame spends in it; frames behind each other may overlap
  CostPer per = CostPer::frame;              ///< of its frame_events
};

/// How long and how much energy the device takes. Valid for the present settings.
struct CostModel {
  double frame_s = 0;                 ///< one frame, input and output overlapped as the hardware does
  double batch_s = 0;                 ///< fixed cost of every call of run()
  double program_s = 0;               ///< one program()
  double power_w = 0;                 ///< drawn while frames run
  double program_j = 0;               ///< energy of one program()
  CostPer time_per = CostPer::frame;  ///< of frame_s: whether inputs or outputs follow one another
  /// Where it goes; what they leave of power_w * frame_s and of program_j is nobody's. Each name once; may be empty.
  std::vector<CostPart> parts = {};
  double seconds(Index frames, Index batches = 0, Index programs = 0) const {
    return static_cast<double>(frames) * frame_s + static_cast<double>(batches) * batch_s +
           static_cast<double>(programs) * program_s;
  }
  double joules(Index frames, Index batches = 0, Index programs = 0) const {
    return power_w * seconds(frames, batches) + static_cast<double>(programs) * program_j;
  }
};

/// What ties a returned frame to the one that was shown.
enum class Pairing {
  certain,  ///< it is computed from it (a simulator), or the link carries both under one number
  counted,  ///< the hardware numbers its exposures: run() fills RunOptions::numbers
  unknown   ///< nothing: only check frames (see the Session's session.check_every) can tell
};

/// What a device is and can do. Immutable but for configure(), and for the cost, which may follow program().
struct DeviceInfo {
  std::string kind;  ///< "projection", "layer" or "reservoir": which part of driver/ can drive it
  std::string model, serial, version;
  FrameFormat input, output;
  std::vector<AuxFormat> aux_inputs;   ///< extra codes per frame, in order
  std::optional<FrameFormat> program;  ///< what program() takes; empty: not programmable
  bool stateful = false;               ///< the answer depends on earlier frames or on time; snapshot() works
  bool deterministic = false;          ///< equal frames give equal codes whatever the frame id
  bool repeatable = true;              ///< a frame id that comes again brings its noise again; an instrument: false
  bool transposed = false;             ///< Pass::transposed works (input and output formats swap sizes)
  Index max_batch = 4096;              ///< frames per run(); the Session splits larger ones
  CostModel cost;
  std::string calibration_id;  ///< empty: never calibrated
  Pairing pairing = Pairing::certain;
};

/// A device, or the code of a plugin or a Python class behind it, failed or answered what the contract forbids. Names
/// the device, what happened, and where.
struct DeviceError : Error {
  using Error::Error;
};

enum class Pass { forward, transposed };

struct RunOptions {
  std::uint64_t first_frame_id =
      0;  ///< logical id of frame 0; keys the read noise of a repeatable device, so a repeated frame repeats its noise
  Pass pass = Pass::forward;
  std::optional<std::chrono::steady_clock::time_point> deadline = {};  ///< throw Timeout when it passes
  /// With Pairing::counted, and only then, room for in.count numbers (or null): the hardware's own number of the
  /// exposure behind each returned frame. Exposures are numbered 1, 2, 3 .. from opening; a picture nobody asked for
  /// takes a number too.
  std::uint64_t* numbers = nullptr;
};

/// Throws Timeout, naming `who`, when the deadline has passed.
void check_deadline(const RunOptions& options, const std::string& who);

/// Checks counts, sizes, widths, code range and auxiliary codes of frames meant for a device so described.
void check_run(const DeviceInfo& info, const ConstFrames& in, const Frames& out, Pass pass);

/// A member of an ensemble whose model broke down; the others go on.
struct MemberFailure {
  Index member = 0;
  std::string detail;  ///< what happened, where, and the parameters to blame
};

/// What one kind of component has done and taken.
struct EnergyPart {
  std::string name;
  double events = 0, joules = 0;
};

/// What happened during one run().
struct RunReport {
  std::int64_t frames = 0;
  std::int64_t codes = 0;      ///< output codes returned
  std::int64_t saturated = 0;  ///< output codes at either end that were clipped
  double device_s = 0, device_j = 0;
  std::vector<MemberFailure> failures = {};  ///< ensembles only
  /// Where device_j went, told by a device whose calls are not described by constants; empty: as CostModel::parts say.
  std::vector<EnergyPart> parts = {};
  // filled in by a Session; a device leaves them
  std::uint64_t first_frame_id = 0;                     ///< the logical id the first frame was given
  std::uint64_t first_exposure = 0, last_exposure = 0;  ///< the hardware's numbers, with Pairing::counted
  std::uint64_t generation = 0;                         ///< how often settings or programme were changed before
  std::int64_t retries = 0;                             ///< batches shown again before their answers were accepted
};

/// One physical quantity the device watches.
struct Monitor {
  std::string name, unit;
  double value = 0;
};

struct SelfTest {
  bool passed = false;
  std::string detail;  ///< one line a person can act on
};

class Ensemble;

/// A co-processor, real or simulated. One thread at a time; the Session sees to that.
///
/// Required: describe, settings, configure, run, close. The rest is optional, visible in DeviceInfo, and throws
/// Unsupported naming the device where it is absent. After an exception the device is as before the call, except that
/// the virtual clock of a stateful simulator may not be rewound by callers: take a snapshot() first if that matters.
class Device {
 public:
  virtual ~Device() = default;
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual const DeviceInfo& describe() const = 0;
  /// Present values of everything settable.
  virtual const ParamSet& settings() const = 0;
  /// Checks all of `changes`, then applies them. Throws InvalidParameter kinds, or Unsupported for a parameter that
  /// needs a re-open; on throw nothing has changed.
  virtual void configure(const Settings& changes) = 0;
  /// Shows `in` and returns what was detected in `out`. `in.count == out.count`; sizes and byte widths as described
  /// (for the transposed pass the sizes are swapped, the bits are not). Missing auxiliary codes are at rest. Throws
  /// ShapeMismatch, OutOfRange for a code above the format's highest or more than max_batch frames, Timeout, LinkError,
  /// FrameError where frames were lost or damaged but the link stands.
  virtual RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) = 0;
  /// Writes what the hardware holds (phases, conductances, mask bits): one frame in the format of describe().program.
  virtual void program(ConstFrames codes);
  /// Back to the state after opening (clock, medium, laser, filters); programmed codes and settings stay. A device
  /// without state has nothing to do.
  virtual void reset();
  /// All that later frames depend on beyond settings: state, and the programme as last written (with the number of that
  /// write where errors are redrawn with every write). Equal snapshots give equal futures; empty where nothing is kept.
  /// restore() changes no setting but a clock; throws InvalidParameter for bytes that are not of a device built alike.
  virtual std::vector<std::byte> snapshot() const;
  virtual void restore(const std::vector<std::byte>& state);
  virtual SelfTest self_test();
  virtual std::vector<Monitor> monitors() const { return {}; }
  /// Many parameter sets of this model as one vectorised batch; nullptr where absent.
  virtual Ensemble* ensemble() { return nullptr; }
  /// Ends the use of the device; run() then throws LinkError. Calling it twice is harmless.
  virtual void close() = 0;

 protected:
  /// For run(): checks pass, deadline and batch limit, and all that check_run does, against describe().
  void check_frames(const ConstFrames& in, const Frames& out, const RunOptions& options) const;
  /// For program(): one frame of the described format. Throws Unsupported, ShapeMismatch or OutOfRange.
  void check_program(const ConstFrames& codes) const;
  /// For configure(): the present settings with `changes` laid over them, all checked; throws Unsupported where a
  /// parameter that needs a re-open would get another value.
  ParamSet changed(const Settings& changes) const;
  /// For everything that needs the open device. Throws LinkError.
  void check_open(bool open) const;
  [[noreturn]] void unsupported(const std::string& capability) const;
};

/// Many members of one model advanced together: frames are (members * count), the member axis first.
class Ensemble {
 public:
  virtual ~Ensemble() = default;
  /// One settings change per member, laid over the device's settings; all are checked before any is taken, and the
  /// message names the member. Every member starts in the state after opening. The device itself is not touched.
  virtual void configure_members(const std::vector<Settings>& members) = 0;
  /// `in` and `out` hold members * count frames, member-major; members go on from where their last frames ended. Frame
  /// j of every member has the id first_frame_id + j; member m uses the noise of instance m, counted from the device's
  /// own. A member that breaks down is named in RunReport::failures and answers 0 until it is configured again; the
  /// others go on.
  virtual RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) = 0;
};

}  // namespace lightloop
