#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/rules/adfa.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/broadcast.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/kept_signals.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// The last non-linearity of a block.
struct Place {
  Index layer = -1;    ///< -1: nothing of the block is taught
  bool dense = false;  ///< it is part of a dense layer, whose sums are not kept
};

Place last_activation(const Network& net, Index b) {
  const LayerChain& block = net.model()->block(b);
  if (block.parameters() == 0) return {};
  for (Index i = block.count() - 1; i >= 0; --i) {
    const std::string text = block.layer(i).text();
    for (const char* name : {"tanh", "relu", "sigmoid", "elu", "gelu", "gelu exact"})
      if (text == name) return {i, false};
    if (text.starts_with("dense ") && text.find(", ") != std::string::npos) return {i, true};
  }
  throw Unsupported("rule adfa on block " + std::to_string(b + 1) + " of net " + net.text(),
                    "it has no non-linearity that rule.gate could stand for", "",
                    "put tanh, relu, sigmoid, elu or gelu behind its layers");
}

class ModelAugmentedDfa : public WholeBatch {
 public:
  ModelAugmentedDfa(const RuleInfo& info, const RuleContext& context)
      : WholeBatch(info),
        feedback_(context.feedback),
        products_(context.layers),
        seed_(context.seed),
        gate_(gate_from(context.params)),
        scale_(static_cast<float>(context.params.real("scale"))) {
    const Network& net = context.net;
    check_rows_alone("adfa", net);
    if (context.params.integer("delay") > 0)
      throw Unsupported("rule.delay of rule adfa on net " + net.text(), "the delay is for fully connected nets", "",
                        "leave it out, give a net of widths such as 784-1024-10, or use dfa");
    if (net.tokens() > 1)
      throw Unsupported("rule adfa on net " + net.text(),
                        "it answers for " + std::to_string(net.tokens()) + " tokens one by one", "", "use dfa");
    check_feedback(info, context);
    work_.resize(static_cast<std::size_t>(net.layers()));
    for (Index b = 0; b < net.hidden_layers(); ++b) {
      const Place place = places_.emplace_back(last_activation(net, b));
      auto& work = work_[static_cast<std::size_t>(b)].inner;
      work.resize(static_cast<std::size_t>(net.model()->block(b).count()));
      if (place.dense) work[static_cast<std::size_t>(place.layer)].linear = true;
    }
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    const Index samples = x.rows(), hidden = net.hidden_layers();
    begin(samples, 0);
    touched_ = declared(net, samples);
    forward(net, x, seen_,
            {.training = true, .seed = seed_, .first_sample = batch.first_sample, .products = products_});
    state_.assign(net.state().begin(), net.state().end());
    net.model()->learn_state(seen_.memory, state_);
    error_.resize(samples, seen_.h.back().cols());
    loss_ = answer_error(batch.loss, seen_.h.back(), batch.targets(), error_);
    if (hidden > 0) {
      projected_.resize(samples, feedback_->outputs());
      feedback_->begin(error_, projected_);
    }
    go_back(net, hidden, 0, net.model()->block(hidden).count(), error_, {}, gradient);  // while a device projects
    if (hidden > 0) feedback_->finish();
    signals_.begin(hidden, batch);
    for (Index b = 0; b < hidden; ++b) {
      teach(net, b, gradient);
      signals_.keep(b, delta_);
    }
    divide(gradient, samples);
  }

  /// At the ends of blocks.
  View<const float> teaching_signal(Index block) const override { return signals_.of(block); }
  std::span<const float> learned_state() const override { return state_; }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = net.layers() * samples, .projections = net.hidden_layers() > 0 ? samples : 0};
  }

 private:
  LayerInput input_of(const Network& net, Index b) const {
    return net.model()->block_input(b, net.parameters(), net.state(), seen_.h[static_cast<std::size_t>(b)]);
  }
  /// Through layers [first, last) of block b: the sums of their part of the gradient.
  void go_back(const Network& net, Index b, Index first, Index last, View<const float> dy, View<float> dx,
               std::span<float> gradient) {
    const auto index = static_cast<std::size_t>(b);
    const LayerInput in = input_of(net, b);
    net.model()->block(b).vjp_of(
        first, last, in, seen_.h[index + 1], seen_.memory[index], dy, dx,
        gradient.subspan(static_cast<std::size_t>(net.model()->offset(b)), in.parameters.size()), work_[index]);
  }

  void teach(const Network& net, Index b, std::span<float> gradient) {
    const LayerChain& block = net.model()->block(b);
    const auto [layer, dense] = places_[static_cast<std::size_t>(b)];
    if (layer < 0) return delta_.resize(0, 0);
    delta_.resize(error_.rows(), block.outputs());
    const float scale = scale_ / std::sqrt(static_cast<float>(delta_.cols()));
    for_rows(delta_.rows(), delta_.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        for (Index j = 0; j < delta_.cols(); ++j) delta_(r, j) = scale * projected_(r, j);
    });
    View<const float> arrives = delta_;
    if (layer + 1 < block.count()) {
      behind_.resize(delta_.rows(), block.layer(layer).outputs());
      go_back(net, b, layer + 1, block.count(), delta_, behind_, gradient);
      arrives = behind_;
    }
    find_sums(net, b);
    for_rows(gated_.rows(), gated_.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        gate_(gated_.row(r));
        for (Index j = 0; j < gated_.cols(); ++j) gated_(r, j) *= arrives(r, j);
      }
    });
    go_back(net, b, 0, layer + (dense ? 1 : 0), gated_, {}, gradient);
  }

  /// gated_ = a, what the last non-linearity of block b was applied to; of a dense layer it is made again, in memory.
  void find_sums(const Network& net, Index b) {
    const LayerChain& block = net.model()->block(b);
    const auto [layer, dense] = places_[static_cast<std::size_t>(b)];
    const auto index = static_cast<std::size_t>(b);
    const View<const float> in =
        layer == 0 ? seen_.h[index].view() : LayerChain::output(layer - 1, seen_.h[index + 1], seen_.memory[index]);
    if (!dense) {
      gated_.resize(in.rows(), in.cols());
      std::copy_n(in.data(), in.size(), gated_.data());
      return;
    }
    const Index inputs = block.layer(layer).input_shape().back(), outputs = block.layer(layer).output_shape().back();
    const float* const weights = input_of(net, b).parameters.data() + block.offset(layer);
    lightloop::dense(Activation::identity, {weights, outputs, inputs},
                     {weights + outputs * inputs, static_cast<std::size_t>(outputs)},
                     {in.data(), in.size() / inputs, inputs}, gated_);
    gated_.resize(in.rows(), block.layer(layer).outputs());
  }

  Feedback* feedback_;  // null without hidden blocks
  LayerProducts* products_;
  std::uint64_t seed_;
  Gate gate_;
  float scale_;
  std::vector<Place> places_;  ///< of hidden blocks
  std::vector<LayerMemory> work_;
  Activations seen_;
  std::vector<float> state_;
  KeptSignals signals_;
  Matrix<float> delta_, error_, projected_, behind_, gated_;
};

}  // namespace

std::unique_ptr<Rule> model_adfa(const RuleInfo& info, const RuleContext& context) {
  return std::make_unique<ModelAugmentedDfa>(info, context);
}

}  // namespace lightloop
