#include "training/rules/head_rule.hpp"

#include "training/loss.hpp"

namespace lightloop {

HeadRule::HeadRule(RuleInfo info, const RuleContext& context, bool joined)
    : WholeBatch(std::move(info)),
      blocks_(context.seed, 3, context.layers, context.map),
      joined_(joined && context.net.hidden_layers() > 0) {}

void HeadRule::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.activations.h[0].rows(), hidden = net.hidden_layers();
  const Index counted = batch.targets().counted();
  begin(static_cast<Index>(batch.labels.size()), static_cast<std::size_t>(joined_ ? hidden : net.layers()));
  blocks_.begin_training(net, batch.first_sample, counted);
  signals_.begin(hidden, batch);
  View<const float> in = batch.activations.h[0];
  const auto learn_output = [&](View<const float> h, Matrix<float>* below) {
    const View<const float> logits = blocks_.forward(net, hidden, h, 2);
    loss_ = answer_error(batch.loss, logits, batch.targets(), error_of(samples, logits.cols()));
    layer_loss_.back() = loss_ / static_cast<double>(counted);
    blocks_.backward(net, hidden, h, 2, error_, gradient, below);
  };
  for (Index b = 0; b < hidden; ++b) {
    const auto slot = static_cast<std::size_t>(b % 2);
    const View<const float> h = blocks_.forward(net, b, in, slot);
    if (joined_ && b + 1 == hidden)
      learn_output(h, &delta_);
    else
      layer_loss_[static_cast<std::size_t>(b)] = teach(net, b, h, batch, delta_) / static_cast<double>(counted);
    blocks_.backward(net, b, in, slot, delta_, gradient);
    signals_.keep(b, delta_);
    in = h;
  }
  if (!joined_) learn_output(in, nullptr);
  touched_ = declared(net, samples);
}

}  // namespace lightloop
