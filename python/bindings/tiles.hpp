#pragma once
// Layers on devices as Python holds them: one thread at a time, the interpreter free meanwhile.
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "driver/layer/tiles.hpp"
#include "python/bindings/bindings.hpp"

namespace lightloop::python {

void register_analog_network(py::module_& m);

inline py::dict latency_dict(const std::vector<LatencyPart>& parts) {
  py::dict seconds;
  for (const LatencyPart& part : parts) seconds[py::str(part.name)] = part.seconds;
  return seconds;
}

/// Devices that several layers share, used by one thread at a time.
struct BoundDevices {
  TileDevices devices;
  std::mutex busy;
  BoundDevices(const std::string& address, const Settings& device, const Settings& layer,
               const std::vector<MatrixSize>& matrices)
      : devices(registry(), address, device, layer, matrices) {}
};

/// A layer; what it needs lives as long.
struct BoundTiles {
  std::shared_ptr<std::mutex> busy;
  std::shared_ptr<TiledLayer> layer;
  BoundTiles(const std::shared_ptr<BoundDevices>& devices, Index in, Index out, const Settings& layer_settings,
             const Settings& own)
      : busy(devices, &devices->busy),
        layer(new TiledLayer(devices->devices, in, out, layer_settings, own),
              [devices](TiledLayer* made) { delete made; }) {}
  BoundTiles(std::shared_ptr<std::mutex> owner_busy, std::shared_ptr<TiledLayer> of_owner)
      : busy(std::move(owner_busy)), layer(std::move(of_owner)) {}
};

template <class Body>
void alone(std::mutex& busy, Body&& body) {
  py::gil_scoped_release release;
  const std::lock_guard lock(busy);
  body();
}

}  // namespace lightloop::python
