// AugLocal: every hidden block learns through a head of several layers, shaped like layers above it. The head of the
// last one is the output layer, but behind physics: that stands between the two, and a linear classifier is the head.
#include <algorithm>
#include <cmath>

#include "training/layers/chain.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/head_rule.hpp"
#include "training/rules/head_view.hpp"

namespace lightloop {
namespace {

/// Hidden blocks (counted from 1) above block l that its head is shaped like; the classes follow them.
///
/// Depth min(round((1 - pyramid (l - 1) / (H - 1)) depth), H + 1 - l) for l = 1..H; the hidden layers of the head are
/// those at round(l + (H - l) i / (depth - 1)).
std::vector<Index> chosen_above(Index l, Index hidden, double depth, double pyramid) {
  const double falling = hidden > 1 ? static_cast<double>(l - 1) / static_cast<double>(hidden - 1) : 0.0;
  const auto wanted = static_cast<Index>(std::lround((1 - pyramid * falling) * depth));
  const Index layers = std::clamp<Index>(wanted, 1, hidden + 1 - l);
  std::vector<Index> chosen;
  for (Index i = 1; i < layers; ++i)
    chosen.push_back(
        std::lround(static_cast<double>(l) + static_cast<double>((hidden - l) * i) / static_cast<double>(layers - 1)));
  return chosen;
}

/// One layer of a head that brings `from` to the shape that a block of the net gives out: a dense layer, or a 3 x 3
/// convolution with the stride that reaches its resolution, batch norm and ReLU (assumed: the block itself takes
/// another number of channels, so it cannot be copied).
void add_like(const Network& net, const Shape& to, Shape& from, std::vector<LayerPointer>& layers) {
  const auto add = [&](LayerPointer layer) {
    from = layer->output_shape();
    layers.push_back(std::move(layer));
  };
  const bool image = from.size() == 3;
  if (image && to.size() == 3) {
    add(convolution(from, to[2], {3, 3, std::max<Index>(1, (from[0] + to[0] / 2) / to[0]), 1}, 1, false));
    add(batch_norm(from));
    add(elementwise(from, Activation::relu));
    return;
  }
  if (image && to.size() == 1) add(global_pool(from));
  add(dense(from, to.back(), net.model() ? Activation::relu : net.hidden_activation()));
}

std::unique_ptr<const LayerChain> make_head(const Network& net, Index b, const std::vector<Index>& chosen) {
  const Shape begin = block_shape(net, b);
  check_tokens(begin, net.tokens());
  Shape shape = begin;
  std::vector<LayerPointer> layers;
  for (const Index above : chosen) add_like(net, block_shape(net, above - 1), shape, layers);
  if (shape.size() > 1 && net.tokens() == 1) {
    layers.push_back(global_pool(shape));
    shape = layers.back()->output_shape();
  }
  layers.push_back(dense(shape, net.classes()));
  return std::make_unique<const LayerChain>(begin, std::move(layers));
}

class AugLocal : public HeadRule {
 public:
  AugLocal(RuleInfo info, const RuleContext& context)
      : HeadRule(std::move(info), context, !has_physics_between(context)),
        seed_(context.seed),
        offsets_{0},
        states_{0} {
    const Network& net = context.net;
    const auto depth = static_cast<double>(context.params.integer("depth"));
    const Index heads = has_physics_between(context) ? net.hidden_layers() : net.hidden_layers() - 1;
    for (Index b = 0; b < heads; ++b) {
      heads_.push_back(
          make_head(net, b, chosen_above(b + 1, net.hidden_layers(), depth, context.params.real("pyramid"))));
      offsets_.push_back(offsets_.back() + heads_.back()->parameters());
      states_.push_back(states_.back() + heads_.back()->state());
    }
    values_ = Matrix<float>(1, offsets_.back());
    gradient_ = Matrix<float>(1, offsets_.back());
    state_ = Matrix<float>(1, states_.back());
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      heads_[i]->initialise(seed_, instance(i), part(values_.flat(), offsets_, i));
      heads_[i]->initialise_state(part(state_.flat(), states_, i));
    }
  }

  Trainable own() override { return {values_.flat(), gradient_.flat()}; }

 protected:
  /// Back-propagation inside the head of hidden block b.
  double teach(const Network&, Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) override {
    const auto i = static_cast<std::size_t>(b);
    const LayerChain& head = *heads_[i];
    const LayerInput in{part(values_.flat(), offsets_, i), part(state_.flat(), states_, i), h};
    logits_.resize(h.rows(), head.outputs());
    head.forward({.training = true, .seed = seed_, .first_sample = batch.first_sample, .instance = instance(i)}, in,
                 logits_, memory_);
    const Targets targets = batch.targets();
    const double loss = answer_error(batch.loss, logits_, targets, error_of(h.rows(), head.outputs()));
    delta.resize(h.rows(), h.cols());
    const std::span<float> gradient = part(gradient_.flat(), offsets_, i);
    head.vjp(in, logits_, memory_, error_, delta, gradient, work_);
    divide(gradient, targets.counted());
    return loss;
  }

 private:
  template <class T>
  static std::span<T> part(std::span<T> all, const std::vector<Index>& begin, std::size_t i) {
    return all.subspan(static_cast<std::size_t>(begin[i]), static_cast<std::size_t>(begin[i + 1] - begin[i]));
  }
  /// Number of a head's first layer among all layers that draw parameters: far above those of the network.
  static std::uint64_t instance(std::size_t head) { return (head + 1) << 20; }

  std::uint64_t seed_;
  std::vector<std::unique_ptr<const LayerChain>> heads_;
  std::vector<Index> offsets_, states_;
  Matrix<float> values_, gradient_;
  Matrix<float> state_;  ///< of batch norms, which only train here: as it began, and read for a lone value alone
  LayerMemory memory_, work_;
  Matrix<float> logits_;
};

}  // namespace

RuleModel auglocal_rule() {
  const RuleInfo info{
      .name = "auglocal",
      .summary = "AugLocal: each hidden block learns through a head of several layers shaped like some above it",
      .equation =
          "delta_l = back-propagation of softmax(head_l(h_l)) - y through head_l; the last hidden block's head is "
          "the output layer (behind physics: linear)",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer; heads on the host",
      .source = "Ma, Wu, Si, Tan, ICLR 2024, arXiv 2402.17318, section 3 (uniform choice, pyramidal depth)",
      .params = {{"depth", "1", std::int64_t{2}, 1, 1e3, "layers of the lowest head, its output among them"},
                 {"pyramid", "1", 0.5, 0, 1, "by what share heads are shallower at the top"}},
      .masks = true,
      .by_error = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<AugLocal>(info, context); }};
}

}  // namespace lightloop
