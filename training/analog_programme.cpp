// Programmes of devices that learn by losses alone: what a rule moves and what it has found, in one vector.
#include <algorithm>

#include "core/error.hpp"
#include "training/analog.hpp"

namespace lightloop {

Index AnalogNetwork::moved_parameters() const {
  Index size = static_cast<Index>(rest_.size());
  for (const TiledLayer& layer : layers_) size += layer.programme_size();
  return size;
}

const Network& AnalogNetwork::move(const Network& net, std::span<const float> direction, float step) {
  LIGHTLOOP_ASSERT(static_cast<Index>(direction.size()) == moved_parameters());
  std::size_t at = 0;
  for (TiledLayer& layer : layers_) {
    const auto own = static_cast<std::size_t>(layer.programme_size());
    layer.try_programme(direction.subspan(at, own), static_cast<double>(step));
    at += own;
  }
  if (!moved_net_) moved_net_ = net;
  std::ranges::copy(net.parameters(), moved_net_->parameters().begin());
  for (const Index i : rest_) moved_net_->parameters()[static_cast<std::size_t>(i)] += step * direction[at++];
  return *moved_net_;
}

void AnalogNetwork::learn(std::span<const float> gradient, double lr, std::span<float> rest) {
  LIGHTLOOP_ASSERT(static_cast<Index>(gradient.size()) == moved_parameters());
  std::size_t at = 0;
  for (TiledLayer& layer : layers_) {
    const auto own = static_cast<std::size_t>(layer.programme_size());
    layer.learn_programme(gradient.subspan(at, own), lr);
    at += own;
  }
  std::ranges::fill(rest, 0.0f);
  for (const Index i : rest_) rest[static_cast<std::size_t>(i)] = gradient[at++];
}

void AnalogNetwork::measure_weights(Network& net) {
  for (std::size_t l = 0; l < layers_.size(); ++l)
    layers_[l].measure({net.parameters().data() + matrices_[l].offset, matrices_[l].outputs, matrices_[l].inputs});
}

LayerReport AnalogNetwork::expected_measure(bool repeats) const {
  LayerReport all;
  for (const TiledLayer& layer : layers_) all.add(layer.expected_measure(repeats));
  return all;
}

}  // namespace lightloop
