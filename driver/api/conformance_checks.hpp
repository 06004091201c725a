#pragma once
// What the checks of the conformance suite share. Internal to the suite.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "driver/api/conformance.hpp"
#include "driver/api/device.hpp"

namespace lightloop::conformance {

/// Thrown by a check that finds the contract broken, and by one that does not apply to this device.
struct Failed {
  std::string why;
};
struct Skipped {
  std::string why;
};
inline void require(bool holds, const std::string& why) {
  if (!holds) throw Failed{why};
}

/// A number in a message, however small.
inline std::string in_short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// Opens fresh devices, and tells what to ask them with.
class Open {
 public:
  explicit Open(Candidate& candidate) : candidate_(&candidate) {}
  std::unique_ptr<Device> operator()(const Settings& settings = {}) const {
    std::unique_ptr<Device> device = candidate_->open(settings);
    if (!device) throw DeviceError("the device", "opening gave none");
    return device;
  }
  /// Repeatable codes; `set` chooses among independent ones.
  FrameBuffer frames(const DeviceInfo& info, Index count, std::uint64_t set = 0, Pass pass = Pass::forward) const {
    return candidate_->frames(info, count, set, pass);
  }
  FrameBuffer programme(const FrameFormat& format, std::uint64_t set = Candidate::kFreshProgramme) const {
    return candidate_->programme(format, set);
  }

 private:
  Candidate* candidate_;
};

struct Check {
  std::string name;
  void (*run)(const Open&);
};
std::vector<Check> description_checks();
std::vector<Check> setting_checks();
std::vector<Check> run_checks();
std::vector<Check> state_checks();
std::vector<Check> session_checks();

inline constexpr Index kFrames = 5;  ///< in most checks: a few, and not a power of two

/// The same, where all must go into one batch.
inline Index few(const DeviceInfo& info) { return std::min(kFrames, info.max_batch); }

/// Memory for the answers of a pass; for the transposed pass with the sizes swapped.
FrameBuffer output_memory(const DeviceInfo& info, Index count, Pass pass = Pass::forward);

/// A newly opened device; a programmable one already holds a random programme.
std::unique_ptr<Device> fresh(const Open& open, const Settings& settings = {});
/// Skips the check of a claim about bits for a device that does not repeat its noise.
void need_repeatable(const DeviceInfo& info);

struct Codes {
  Index size = 0;     ///< per frame
  bool exact = true;  ///< the device repeats its noise
  std::vector<std::uint32_t> values;
  RunReport report;
};
/// Runs `in`, in as many batches as the device needs; every bit of the output memory is set to those of `fill` before.
Codes run(Device& device, ConstFrames in, const RunOptions& options = {}, std::uint8_t fill = 0);
/// Empty when the same, else where they differ first: bit by bit, or frame by frame for a device that does not repeat
/// its noise.
std::string difference(const Codes& a, const Codes& b);
/// The frame of `codes` that is most like frame `i` of `other`, apart from a common offset: `expected`, unless another
/// one is clearly more alike.
Index most_like(const Codes& codes, const Codes& other, Index i, Index expected);
void require_equal(const Codes& a, const Codes& b, const std::string& what);
/// What a newly opened device answers; it is closed again. Never call it while another device is open: an instrument
/// can be opened once only.
Codes run_fresh(const Open& open, const ConstFrames& in, const RunOptions& options = {}, std::uint8_t fill = 0);
/// `device` answers the next frames as a newly opened one does. Ends the use of `device`.
void require_like_fresh(std::unique_ptr<Device> device, const Open& open, const std::string& what);

/// `action` throws an E. `name` is E's name.
template <class E>
void require_throws(const std::string& name, const std::string& what, const std::function<void()>& action) {
  try {
    action();
  } catch (const E&) {
    return;
  } catch (const NotAsked&) {
    throw;
  } catch (const std::exception& e) {
    throw Failed{what + " threw \"" + e.what() + "\", which is not of the kind " + name};
  }
  throw Failed{what + " was accepted; " + name + " expected"};
}

}  // namespace lightloop::conformance

/// REQUIRE_THROWS of the suite: the kind's name is spelled once.
#define LIGHTLOOP_REQUIRE_THROWS(kind, what, ...) \
  ::lightloop::conformance::require_throws<::lightloop::kind>(#kind, what, [&] { __VA_ARGS__; })
