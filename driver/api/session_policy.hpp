#pragma once
// What a Session does when its device is slow, wrong or gone: the "session." settings.
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop {

/// The "session." settings.
std::vector<ParamInfo> session_params();

/// The same as numbers.
struct SessionPolicy {
  explicit SessionPolicy(const ParamSet& params);
  Index retries, queue, check_every;
  double deadline_s, reopen_s, max_saturation;
  bool repeat, snapshots;
};

}  // namespace lightloop
