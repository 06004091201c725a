#pragma once
// A part of a TiledLayer, and what is said where there are several. Private to driver/layer.
#include <memory>
#include <string>

#include "driver/layer/tiles.hpp"

namespace lightloop {

struct TiledLayer::Tile {
  std::shared_ptr<TileDevice> device;
  std::unique_ptr<Layer> layer;
  Index first_in, n_in, first_out, n_out;
  Matrix<float> w;     // as they were last programmed; pulses since then are the layer's and the device's
  bool stale = false;  // w is newer than what was written, where the device is shared

  void add_expected(Index rows, Index calls, Index writes, bool repeats, LayerReport& all) const;
};

/// What to do where each of so many tiles is to have its own device.
std::string of_their_own(Index tiles);

}  // namespace lightloop
