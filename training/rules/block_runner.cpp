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

void check_rows_alone(const std::string& rule, const Network& net) {
  if (net.model() && net.model()->graph())
    throw Unsupported("rule " + rule + " on a graph",
                      "it holds what a node gives out against the node's own loss, and its neighbours' change too", "",
                      "use rule bp, dfa, spsa or forwardgnn");
}

void BlockRunner::begin_training(const Network& net, std::uint64_t first_sample, Index counted) {
  training_ = learns_state_ = true;
  counted_ = counted;
  first_sample_ = first_sample;
  state_.resize(1, static_cast<Index>(net.state().size()));
  std::ranges::copy(net.state(), state_.flat().begin());
}

LayerPass BlockRunner::pass_of(const Model& model, Index b) const {
  return {.training = training_,
          .seed = seed_,
          .first_sample = first_sample_,
          .instance = model.instance(b),
          .products = products_};
}

View<const float> BlockRunner::forward(const Network& net, Index b, View<const float> in, std::size_t slot) {
  auto& [h, memory, moves] = slots_[slot];
  if (!net.model()) {
    layer_forward(net, b, see(b, in, slot), h, products_);
    return h;
  }
  const Model& model = *net.model();
  h.resize(in.rows(), model.block(b).outputs());
  model.block(b).forward(pass_of(model, b), model.block_input(b, net.parameters(), net.state(), in), h, memory);
  if (learns_state_) model.block(b).learn_state(memory, model.state_of(b, state_.flat()));
  return h;
}

void BlockRunner::backward(const Network& net, Index b, View<const float> in, std::size_t slot, Matrix<float>& delta,
                           std::span<float> gradient, Matrix<float>* below) {
  const auto& [h, memory, moves] = slots_[slot];
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

void BlockRunner::move(const Network& net, Index b, View<const float> in, std::size_t slot, View<const float> dx,
                       Matrix<float>& dy) {
  LIGHTLOOP_ASSERT(net.model());
  const Model& model = *net.model();
  auto& [h, memory, moves] = slots_[slot];
  dy.resize(dx.rows(), h.cols());
  model.block(b).jvp(pass_of(model, b), model.block_input(b, net.parameters(), net.state(), in), h, memory, dx, dy,
                     moves);
}

}  // namespace lightloop
