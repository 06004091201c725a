#pragma once
// The script of a fault: device, and what of it has happened already. Internal to the backend.
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "core/random.hpp"

namespace lightloop::fault {

enum class Kind { delay, hang, drop, duplicate, shift, corrupt, saturate, mode_hop, warm_up, disconnect };
std::string to_string(Kind kind);

struct Fault {
  std::string name;
  Kind kind = Kind::delay;
  std::vector<std::uint64_t> at;
  double rate = 0, seconds = 0, depth = 0;
  std::int64_t times = 1, frames = 1, bits = 1, attempts = 0;
  bool hidden = false;
  Stream stream{0, 0, Purpose::user};

  /// It begins with this frame.
  bool begins(std::uint64_t id) const;
  /// This frame is among those of a fault that began with it or before.
  bool covers(std::uint64_t id) const;
};

struct Script {
  std::uint64_t seed = 0;
  bool counted = true;
  std::string log;  ///< path; empty: none
  std::vector<Fault> faults;
};

/// Throws FileError or InvalidParameter kinds.
Script read_script(const std::string& path);

/// What was injected, by all devices that one address has been opened as.
class History {
 public:
  void begin_call();
  /// True, once more counted and logged, unless the frame has had its share of this fault.
  bool strike(const Script& script, std::size_t fault, std::uint64_t id);
  void refuse_openings(std::int64_t attempts);
  bool refuses_opening();
  std::map<std::string, std::int64_t> injected() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::size_t, std::uint64_t>, std::int64_t> struck_;
  std::map<std::string, std::int64_t> injected_;
  std::int64_t refuse_ = 0, calls_ = 0;
};

}  // namespace lightloop::fault
