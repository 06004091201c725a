#pragma once
#include "driver/api/registry.hpp"

namespace lightloop {

/// Adds every backend of this build beside "sim" to `registry`: "remote:HOST:PORT/NAME", "replay:FILE".
void add_backends(Registry& registry);

}  // namespace lightloop
