// Predictive coding: activities settle between what comes from below and what they must explain above; then every block
// learns to predict the activities that it met.
#include <algorithm>

#include "training/elementwise.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

class PredictiveCoding : public WholeBatch {
 public:
  PredictiveCoding(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        steps_(context.params.integer("steps")),
        rate_(static_cast<float>(context.params.real("rate"))),
        runner_(context.seed, static_cast<std::size_t>(context.net.layers()), context.layers),
        values_(static_cast<std::size_t>(context.net.hidden_layers())),
        wrong_(values_.size()),
        signal_(values_.size()) {}

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    const Index samples = x.rows(), hidden = net.hidden_layers();
    begin(samples, static_cast<std::size_t>(net.layers()));
    runner_.begin_training(net, batch.first_sample);
    View<const float> in = x;
    for (Index b = 0; b <= hidden; ++b) {
      in = runner_.forward(net, b, in, static_cast<std::size_t>(b));
      if (b < hidden) copy(in, values_[static_cast<std::size_t>(b)]);
    }
    loss_ = compare(net, batch);
    for (Index t = 0; t < steps_; ++t) {
      if (t > 0) {
        predict(net, x);
        compare(net, batch);
      }
      settle(net, x);
    }
    runner_.begin_training(net, batch.first_sample);  // of all these passes one counts for running statistics
    predict(net, x);
    layer_loss_.back() = compare(net, batch) / static_cast<double>(samples);
    for (Index b = 0; b < hidden; ++b) {
      const auto i = static_cast<std::size_t>(b);
      layer_loss_[i] = 0.5 * dot(wrong_[i].flat(), wrong_[i].flat()) / static_cast<double>(samples);
      negate(wrong_[i], signal_[i]);
      runner_.backward(net, b, below(x, b), i, signal_[i], gradient);
    }
    runner_.backward(net, hidden, below(x, hidden), values_.size(), error_, gradient);
    touched_ = declared(net, samples);
  }
  View<const float> teaching_signal(Index block) const override { return signal_[static_cast<std::size_t>(block)]; }
  std::span<const float> learned_state() const override { return runner_.state(); }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (steps_ + 1) * net.layers() * samples};
  }

 private:
  static void copy(View<const float> from, Matrix<float>& to) {
    to.resize(from.rows(), from.cols());
    for (Index r = 0; r < from.rows(); ++r) std::ranges::copy(from.row(r), to.row(r).begin());
  }
  static void negate(const Matrix<float>& from, Matrix<float>& to) {
    to.resize(from.rows(), from.cols());
    for_chunks(from.size(), kChunk, [&](Index first, Index n) {
      for (Index i = first; i < first + n; ++i) to.data()[i] = -from.data()[i];
    });
  }
  /// What block b sees.
  View<const float> below(View<const float> x, Index b) const {
    return b == 0 ? x : View<const float>(values_[static_cast<std::size_t>(b) - 1]);
  }
  void predict(const Network& net, View<const float> x) {
    for (Index b = 0; b < net.layers(); ++b) runner_.forward(net, b, below(x, b), static_cast<std::size_t>(b));
  }
  /// wrong_: values less predictions; error_: that of the output. Returns the loss of the output, summed.
  double compare(const Network& net, const RuleBatch& batch) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const View<const float> predicted = runner_.output(i);
      wrong_[i].resize(predicted.rows(), predicted.cols());
      for_chunks(wrong_[i].size(), kChunk, [&](Index first, Index n) {
        for (Index j = first; j < first + n; ++j) wrong_[i].data()[j] = values_[i].data()[j] - predicted.data()[j];
      });
    }
    const View<const float> logits = runner_.output(static_cast<std::size_t>(net.hidden_layers()));
    error_.resize(logits.rows(), logits.cols());
    return answer_error(batch.loss, logits, batch.targets(), error_);
  }
  /// One step of all values down the slope of the energy, as it was when the step began.
  void settle(const Network& net, View<const float> x) {
    for (Index b = net.hidden_layers(); b > 0; --b) {
      const auto i = static_cast<std::size_t>(b);
      if (i < values_.size())
        negate(wrong_[i], delta_);
      else
        copy(error_, delta_);
      runner_.backward(net, b, below(x, b), i, delta_, {}, &from_above_);
      Matrix<float>& values = values_[i - 1];
      for_chunks(values.size(), kChunk, [&](Index first, Index n) {
        for (Index j = first; j < first + n; ++j)
          values.data()[j] -= rate_ * (wrong_[i - 1].data()[j] + from_above_.data()[j]);
      });
    }
  }

  Index steps_;
  float rate_;
  BlockRunner runner_;                 ///< a slot for each block: what it predicts
  std::vector<Matrix<float>> values_;  ///< of the hidden blocks
  std::vector<Matrix<float>> wrong_, signal_;
  Matrix<float> error_, delta_, from_above_;
};

}  // namespace

RuleModel predictive_coding_rule() {
  const RuleInfo info{
      .name = "predictive_coding",
      .summary =
          "activities settle between predictions from below and errors above, then each block learns from its own "
          "error",
      .equation =
          "E = sum over hidden l of |v_l - f(W_l v_{l-1} + b_l)|^2 / 2 + loss(W_L v_{L-1} + b_L); T steps v_l -= rate "
          "dE/dv_l from the forward pass; dW_l = dE/dW_l",
      .needs = Needs::nothing,
      .cost = "T + 1 forward passes of all layers, settling on the host",
      .source =
          "Whittington, Bogacz, Neural Comput. 29, 1229 (2017); predictions f(W v + b) as in Millidge et al., arXiv "
          "2006.04182",
      .params = {{"steps", "1", std::int64_t{16}, 1, 1e4, "T, steps of settling (assumed: enough for a few layers)"},
                 {"rate", "1", 0.1, 1e-4, 1, "size of such a step (assumed)"}},
      .real_targets = true,
      .own_forward = true,
      .on_layers = true,
      .no_map = "the rule settles activities by derivatives of the layers above, and that of the physics is unknown"};
  return {info, [info](const RuleContext& context) { return std::make_unique<PredictiveCoding>(info, context); }};
}

}  // namespace lightloop
