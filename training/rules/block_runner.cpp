#include "training/rules/block_runner.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "training/layers/model.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {

Shape block_shape(const Network& net, Index b) {
  if (net.model()) return net.model()->block(b).output_shape();
  return {net.widths()[static_cast<std::size_t>(b) + 1]};
}

void BlockRunner::begin_training(const Network& net, std::uint64_t first_sample, Index counted) {
  training_ = true;
  counted_ = counted;
  first_sample_ = first_sample;
  state_.resize(1, static_cast<Index>(net.state().size()));
  std::ranges::copy(net.state(), state_.flat().begin());
}

View<const float> BlockRunner::forward(const Network& net, Index b, View<const float> in, std::size_t slot) {
  auto& [h, memory] = slots_[slot];
  if (!net.model()) {
    layer_forward(net, b, see(b, in, slot), h, products_);
    return h;
  }
  const Model& model = *net.model();
  h.resize(in.rows(), model.block(b).outputs());
  const LayerPass pass{.training = training_,
                       .seed = seed_,
                       .first_sample = first_sample_,
                       .instance = model.instance(b),
                       .products = products_};
  model.block(b).forward(pass, model.block_input(b, net.parameters(), net.state(), in), h, memory);
  if (training_) model.block(b).learn_state(memory, model.state_of(b, state_.flat()));
  return h;
}

void BlockRunner::backward(const Network& net, Index b, View<const float> in, std::size_t slot, Matrix<float>& delta,
                           std::span<float> gradient, Matrix<float>* below) {
  const auto& [h, memory] = slots_[slot];
  const Index counted = counted_ > 0 ? counted_ : in.rows();
  if (!net.model()) {
    times_derivative(net.activation(b), h, delta);
    if (!gradient.empty()) layer_gradient(net, b, delta, inputs_.seen(in, slot), counted, gradient);
    LIGHTLOOP_ASSERT(!below || !inputs_.physical());
    if (below) back_through(delta, net.weights(b), *below);
    return;
  }
  const Model& model = *net.model();
  View<float> dx;
  if (below) {
    below->resize(in.rows(), model.block(b).inputs());
    dx = *below;
  }
  const LayerInput input = model.block_input(b, net.parameters(), net.state(), in);
  std::span<float> mine;
  if (!gradient.empty()) mine = gradient.subspan(static_cast<std::size_t>(model.offset(b)), input.parameters.size());
  model.block(b).vjp(input, h, memory, delta, dx, mine, work_);
  divide(mine, counted);
}

}  // namespace lightloop
