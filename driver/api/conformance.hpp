#pragma once
// One suite for every device, ours and other people's: `lightloop check DEVICE` and the catalogue tests both call it.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/api/device.hpp"

namespace lightloop {

struct CheckResult {
  std::string name;  ///< a claim: "codes above the highest are refused"
  enum class Outcome { passed, failed, skipped } outcome = Outcome::passed;
  std::string detail;  ///< why it failed or was skipped
};

/// Runs every check of the contract against fresh devices made by `open`. Never throws for a device's fault: a throw is
/// a failure.
std::vector<CheckResult> check_device(const std::function<std::unique_ptr<Device>()>& open);

}  // namespace lightloop
