// Counter-Current Learning: a second net carries the targets down; each layer matches the activities to the targets
// that meet it on the way, and the second net learns from the same loss.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Scales `values` down to the norm `limit`; 0: leaves them.
void clip_norm(std::span<float> values, double limit) {
  const double norm = std::sqrt(dot(values, values));
  if (limit <= 0 || norm <= limit) return;
  const auto factor = static_cast<float>(limit / norm);
  for (float& v : values) v *= factor;
}

class CounterCurrent : public WholeBatch {
 public:
  CounterCurrent(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)), strength_(context.params.real("strength")), clip_(context.params.real("clip")) {
    const Network& net = context.net;
    const auto& widths = net.widths();
    const auto hidden = static_cast<std::size_t>(net.hidden_layers());
    if (hidden == 0)
      throw Unsupported("rule ccl on net " + to_string(widths), "it teaches hidden layers", "", "add one");
    for (std::size_t l = 1; l <= hidden; ++l) down_.add(widths[l], widths[l + 1]);
    down_.initialise(context.seed);
    targets_.resize(hidden + 1);
    targets_[hidden] = Matrix<float>(widths.back(), widths.back());
    for (Index c = 0; c < widths.back(); ++c) targets_[hidden](c, c) = 1;
    delta_.resize(hidden);
  }

  Trainable own() override { return down_.trainable(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = batch.error.rows(), hidden = net.hidden_layers();
    begin(samples, static_cast<std::size_t>(hidden));
    layer_gradient(net, hidden, batch.error, batch.activations.h[static_cast<std::size_t>(hidden)], samples, gradient);
    for (Index l = hidden - 1; l >= 0; --l) {
      const auto i = static_cast<std::size_t>(l);
      Matrix<float>& target = targets_[i];
      dense(net.activation(l), down_.weights(l), down_.bias(l), targets_[i + 1], target);
      const Matrix<float>& h = batch.activations.h[i + 1];
      match(l, h, target, batch.labels);
      back_through(error_, target, delta_[i]);  // (m, C) (C, d)
      times_derivative(net.activation(l), h, delta_[i]);
      layer_gradient(net, l, delta_[i], batch.activations.h[i], samples, gradient);
      target_delta_.resize(target.rows(), target.cols());
      gemm(Transpose::yes, Transpose::no, 1.0f / static_cast<float>(samples), error_, h, 0.0f, target_delta_);
      times_derivative(net.activation(l), target, target_delta_);
      dense_gradient(target_delta_, targets_[i + 1], 1, down_.weight_gradient(l), down_.bias_gradient(l));
    }
    clip_norm(gradient, clip_);
    clip_norm(down_.gradient(), clip_);
    touched_ = declared(net, samples);
  }
  View<const float> teaching_signal(Index layer) const override { return delta_[static_cast<std::size_t>(layer)]; }
  StepTouch declared(const Network& net, Index) const override {
    return {.passes = net.hidden_layers() * net.widths().back(), .writes = net.hidden_layers()};
  }

 private:
  /// error_ = dLoss/dS per sample for loss = strength / (2 d C) |h t^T - y|^2.
  void match(Index layer, const Matrix<float>& h, const Matrix<float>& target, std::span<const std::uint8_t> labels) {
    const Index classes = target.rows();
    error_.resize(h.rows(), classes);
    gemm(Transpose::no, Transpose::yes, 1.0f, h, target, 0.0f, error_);
    const double factor = strength_ / static_cast<double>(h.cols() * classes);
    double total = 0;
    for (Index r = 0; r < h.rows(); ++r)
      for (Index c = 0; c < classes; ++c) {
        const float wrong = error_(r, c) - (labels[static_cast<std::size_t>(r)] == c ? 1.0f : 0.0f);
        total += 0.5 * factor * static_cast<double>(wrong) * static_cast<double>(wrong);
        error_(r, c) = static_cast<float>(factor) * wrong;
      }
    layer_loss_[static_cast<std::size_t>(layer)] = total / static_cast<double>(h.rows());
  }

  double strength_, clip_;
  OwnLayers down_;
  std::vector<Matrix<float>> targets_, delta_;  ///< targets_.back() is the identity
  Matrix<float> error_, target_delta_;
};

}  // namespace

RuleModel ccl_rule() {
  const RuleInfo info{
      .name = "ccl",
      .summary =
          "Counter-Current Learning: a second net brings targets from the labels down, and both nets learn to agree",
      .equation =
          "t_L = I_C, t_l = f(V_l t_{l+1}); loss_l = strength / (2 d_l C) |h_l t_l^T - y|^2 trains W_l and V_l "
          "alone; delta_L = e",
      .needs = Needs::forward_only,
      .cost = "the forward pass, and C vectors through the second net; two writes per layer",
      .source = "Kao, Hariharan, NeurIPS 2024, arXiv 2409.19841; loss as in its published program",
      .params = {{"strength", "1", 256.0, 1e-6, 1e9, "weight of the local losses"},
                 {"clip", "1", 1.0, 0, 1e9, "largest norm of the gradient of either net; 0: any"}}};
  return {info, [info](const RuleContext& context) { return std::make_unique<CounterCurrent>(info, context); }};
}

}  // namespace lightloop
