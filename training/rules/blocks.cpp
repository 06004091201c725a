#include "training/rules/blocks.hpp"

#include "training/elementwise.hpp"
#include "training/layers/model.hpp"

namespace lightloop {

void back_through_blocks(const Network& net, const Activations& activations, View<const float> error,
                         std::vector<Matrix<float>>& delta, std::span<float> gradient, std::vector<LayerMemory>& work,
                         std::span<const float> path) {
  const Model& model = *net.model();
  work.resize(static_cast<std::size_t>(model.blocks()));
  delta.resize(static_cast<std::size_t>(net.hidden_layers()));
  View<const float> above = error;
  for (Index b = model.blocks() - 1; b >= 0; --b) {
    const auto index = static_cast<std::size_t>(b);
    View<float> below;
    if (b > 0) {
      delta[index - 1].resize(error.rows(), model.block(b).inputs());
      below = delta[index - 1];
    }
    const LayerInput in =
        model.block_input(b, path.empty() ? net.parameters() : path, net.state(), activations.h[index]);
    std::span<float> part;
    if (!gradient.empty()) part = gradient.subspan(static_cast<std::size_t>(model.offset(b)), in.parameters.size());
    model.block(b).vjp(in, activations.h[index + 1], activations.memory[index], above, below, part, work[index]);
    above = below;
  }
}

void divide(std::span<float> gradient, Index samples) {
  const float scale = 1.0f / static_cast<float>(samples);
  for_chunks(static_cast<Index>(gradient.size()), kChunk, [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) gradient[static_cast<std::size_t>(i)] *= scale;
  });
}

}  // namespace lightloop
