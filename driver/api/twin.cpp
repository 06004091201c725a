#include "driver/api/twin.hpp"

#include "core/error.hpp"

namespace lightloop {

void Twin::program(View<const float>) {
  throw Unsupported("twin", "has no programmable parameters", "", "It models a device that cannot be programmed.");
}

}  // namespace lightloop
