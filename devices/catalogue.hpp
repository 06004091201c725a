#pragma once
#include "driver/api/registry.hpp"

namespace lightloop {

/// Adds every simulated device of this build to `registry`, as "sim:NAME".
void add_devices(Registry& registry);

}  // namespace lightloop
