#pragma once
// One suite for every device, ours and other people's: `lightloop check DEVICE` and the catalogue tests both call it.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/api/candidate.hpp"

namespace lightloop {

struct CheckResult {
  std::string name;  ///< a claim: "codes above the highest are refused"
  enum class Outcome { passed, failed, skipped } outcome = Outcome::passed;
  std::string detail;  ///< why it failed or was skipped
};

/// Runs every check of the contract against fresh devices of `candidate`. Never throws for a device's fault: a throw is
/// a failure.
///
/// A device that does not repeat its noise (DeviceInfo::repeatable) cannot be asked for equal codes: answers are then
/// held to be the same where each frame is most like the same frame of the other answer, which an answer out of order
/// or one frame late is not.
std::vector<CheckResult> check_device(Candidate& candidate);
/// The same for whatever `open` gives.
std::vector<CheckResult> check_device(const OpenWith& open);
/// The same for an `open` that takes no settings; what needs other settings is skipped.
std::vector<CheckResult> check_device(const std::function<std::unique_ptr<Device>()>& open);

}  // namespace lightloop
