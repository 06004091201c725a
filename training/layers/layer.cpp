#include "training/layers/layer.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {

Index elements(const Shape& shape) {
  Index product = 1;
  for (const Index n : shape) product *= n;
  return product;
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const Index n : shape) text += (text.empty() ? "" : "x") + std::to_string(n);
  return text;
}

void NetLayer::initialise(std::uint64_t, std::uint64_t, std::span<float> parameters) const {
  std::ranges::fill(parameters, 0.0f);
}
void NetLayer::initialise_state(std::span<float> state) const { std::ranges::fill(state, 0.0f); }
void NetLayer::learn_state(const LayerMemory&, std::span<float>) const {}
void NetLayer::add_products(std::uint64_t, Index, std::vector<WeightMatrix>&) const {
  if (taught())
    throw Unsupported("layer " + text() + " on a device", "its weights are no matrix that a device could hold", "",
                      "dense and conv (one group) have such weights; layers without any stay digital");
}

}  // namespace lightloop
