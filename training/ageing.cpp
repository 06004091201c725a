#include "training/ageing.hpp"

#include <cmath>

#include "core/error.hpp"

namespace lightloop {

void age(AnalogNetwork& network, double seconds) {
  if (!(seconds > 0 && std::isfinite(seconds)))
    throw OutOfRange("age", std::to_string(seconds) + " s", "above 0, finite", "Say \"30 d\", for example.");
  const TileDevices& devices = network.devices();
  if (network.rewritten())
    throw Unsupported("age on " + devices.address(), "its one device is written anew for every layer",
                      "weights that stay", "Give layer.devices=each where devices can be had.");
  for (const auto& device : devices.opened()) {
    Session& session = *device->session;
    if (!session.settings().has("clock_s"))
      throw Unsupported("age on " + devices.address(), "the device has no clock, nothing in it drifts", "",
                        "`lightloop devices` shows which have clock_s: sim:crossbar,preset=pcm.");
    session.configure({{"clock_s", session.settings().real("clock_s") + seconds}});
  }
}

}  // namespace lightloop
