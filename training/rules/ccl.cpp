// Counter-Current Learning: a second net carries the targets down; each layer matches the activities to the targets
// that meet it on the way, and the second net learns from the same loss. Physics (RuleContext::map) stands in the
// forward net alone: the second one sees no sample, its C vectors a step are numbers on the host.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_rule.hpp"
#include "training/rules/own_layers.hpp"

namespace lightloop {
namespace {

/// Scales `values` down to the norm `limit`; 0: leaves them.
void clip_norm(std::span<float> values, double limit) {
  const double norm = std::sqrt(dot(values, values));
  if (limit <= 0 || norm <= limit) return;
  const auto factor = static_cast<float>(limit / norm);
  for (float& v : values) v *= factor;
}

class CounterCurrent : public HeadRule {
 public:
  CounterCurrent(RuleInfo info, const RuleContext& context)
      : HeadRule(std::move(info), context),
        strength_(context.params.real("strength")),
        clip_(context.params.real("clip")),
        gain_(context.params.real("gain")),
        views_(head_views(context.net, context.params.integer("pool"))) {
    const Network& net = context.net;
    const Index hidden = net.hidden_layers(), classes = net.classes();
    if (hidden == 0) throw Unsupported("rule ccl on net " + net.text(), "it teaches hidden layers", "", "add one");
    for (std::size_t b = 0; b < views_.size(); ++b)
      down_.add(views_[b].width(), b + 1 < views_.size() ? views_[b + 1].width() : classes);
    down_.initialise(context.seed);
    targets_.resize(views_.size() + 1);
    targets_.back() = Matrix<float>(classes, classes);
    for (Index c = 0; c < classes; ++c) targets_.back()(c, c) = 1;
  }

  Trainable own() override { return down_.trainable(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    for (Index b = net.hidden_layers() - 1; b >= 0; --b) {
      const auto i = static_cast<std::size_t>(b);
      dense(activation(net, b), down_.weights(b), down_.bias(b), targets_[i + 1], targets_[i]);
    }
    HeadRule::gradient(net, batch, gradient);
    clip_norm(gradient, clip_);
    clip_norm(down_.gradient(), clip_);
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = net.layers() * samples + net.hidden_layers() * net.classes(), .writes = net.hidden_layers()};
  }

 protected:
  double teach(const Network& net, Index b, View<const float> h, const RuleBatch& batch,
               Matrix<float>& delta) override {
    const auto i = static_cast<std::size_t>(b);
    const View<const float> seen = views_[i].see(h);
    const double loss = match(seen, targets_[i], batch.targets());
    back_through(error_, targets_[i], delta);  // (m, C) (C, d)
    target_delta_.resize(targets_[i].rows(), targets_[i].cols());
    gemm(Transpose::yes, Transpose::no, 1.0f / static_cast<float>(batch.targets().counted()), error_, seen, 0.0f,
         target_delta_);
    times_derivative(activation(net, b), targets_[i], target_delta_);
    dense_gradient(target_delta_, targets_[i + 1], 1, down_.weight_gradient(b), down_.bias_gradient(b));
    views_[i].back(h, delta);
    return loss;
  }

 private:
  /// Of the second net: that of the layer it meets; tanh where blocks are of any layers (assumed: targets then stay
  /// bounded whatever ends a block).
  static Activation activation(const Network& net, Index b) {
    return net.model() ? Activation::tanh : net.activation(b);
  }
  /// error_ = dLoss/d(h t^T) per sample for loss = strength / (2 d C) |gain h t^T / sqrt(d) - y|^2; returns its sum.
  double match(View<const float> h, const Matrix<float>& target, const Targets& wanted) {
    const Index classes = target.rows();
    error_of(h.rows(), classes);
    const double scale = gain_ > 0 ? gain_ / std::sqrt(static_cast<double>(h.cols())) : 1.0;
    gemm(Transpose::no, Transpose::yes, static_cast<float>(scale), h, target, 0.0f, error_);
    const double factor = strength_ / static_cast<double>(h.cols() * classes);
    double total = 0;
    for (Index r = 0; r < h.rows(); ++r) {
      const auto row = static_cast<std::size_t>(r);
      const bool counts = wanted.counts.empty() || wanted.counts[row] != 0;
      for (Index c = 0; c < classes; ++c) {
        const float wrong = counts ? error_(r, c) - (wanted.labels[row] == c ? 1.0f : 0.0f) : 0.0f;
        total += 0.5 * factor * static_cast<double>(wrong) * static_cast<double>(wrong);
        error_(r, c) = static_cast<float>(scale * factor) * wrong;
      }
    }
    return total;
  }

  double strength_, clip_, gain_;
  std::vector<HeadView> views_;
  OwnLayers down_;
  std::vector<Matrix<float>> targets_;  ///< the last is the identity
  Matrix<float> target_delta_;
};

}  // namespace

RuleModel ccl_rule() {
  const RuleInfo info{
      .name = "ccl",
      .summary =
          "Counter-Current Learning: a second net brings targets from the labels down, and both nets learn to agree",
      .equation =
          "t_L = I_C, t_l = f(V_l t_{l+1}); loss_l = strength / (2 d_l C) |gain / sqrt(d_l) h_l t_l^T - y|^2 trains "
          "W_l and V_l alone; delta_L = e",
      .needs = Needs::forward_only,
      .cost = "the forward pass, and C vectors through the second net; two writes per layer",
      .source =
          "Kao, Hariharan, NeurIPS 2024, arXiv 2409.19841; loss as in its published program, whose gain is that of "
          "rule.gain=0",
      .params = {{"strength", "1", 256.0, 1e-6, 1e9, "weight of the local losses"},
                 {"clip", "1", 1.0, 0, 1e9, "largest norm of the gradient of either net; 0: any"},
                 {"gain", "1", 0.25, 0, 1e6,
                  "of the products that are matched, per root of the width (assumed: with products far above 1 at the "
                  "start both nets spend their steps on making them small); 0: the bare products, as published"},
                 pool_param()},
      .masks = true,
      .tokens = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<CounterCurrent>(info, context); }};
}

}  // namespace lightloop
