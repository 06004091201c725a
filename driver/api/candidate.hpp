#pragma once
// What the conformance suite checks: whoever opens the devices, and is told for which claim.
#include <functional>
#include <memory>
#include <string>

#include "driver/api/device.hpp"

namespace lightloop {

/// What was asked has no answer here, though nothing is wrong with the device: a recording was asked for what it does
/// not hold. The claim is then skipped, with this as the reason.
struct NotAsked : Error {
  using Error::Error;
};

/// Opens the device to check, with these settings laid over those it is checked with.
using OpenWith = std::function<std::unique_ptr<Device>(const Settings&)>;

/// Opens the devices of a check. What its functions throw fails the claim; NotAsked skips it. Called by one claim at a
/// time, but not always from the same thread.
class Candidate {
 public:
  virtual ~Candidate() = default;
  /// Devices opened from now on are for this claim.
  virtual void begin(const std::string&) {}
  /// A fresh device, with these settings laid over those it is checked with.
  virtual std::unique_ptr<Device> open(const Settings& settings) = 0;
  /// What the device is asked with: `count` input frames of a pass, or a programme. Equal arguments give equal codes;
  /// `set` chooses among independent ones. By default uniform codes.
  virtual FrameBuffer frames(const DeviceInfo& info, Index count, std::uint64_t set, Pass pass) const;
  virtual FrameBuffer programme(const FrameFormat& format, std::uint64_t set) const;
  static constexpr std::uint64_t kFreshProgramme = 99;  ///< the set a fresh device is programmed with
  /// The claim held or was skipped by the suite, and all its devices are closed.
  virtual void end() {}
};

/// Opens with `open` and has nothing else to say.
std::unique_ptr<Candidate> candidate_of(OpenWith open);

}  // namespace lightloop
