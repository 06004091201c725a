// AugLocal: every hidden layer learns through a head of several layers, shaped like layers above it.
#include <algorithm>
#include <array>
#include <cmath>

#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Widths of layer l's head after h_l: some of the widths above it, then the classes.
///
/// Depth min(round((1 - pyramid (l - 1) / (H - 1)) depth), H + 1 - l) for l = 1..H; its hidden layers are those at
/// round(l + (H - l) i / (depth - 1)).
std::vector<Index> head_widths(const std::vector<Index>& widths, Index l, Index hidden, double depth, double pyramid) {
  const double falling = hidden > 1 ? static_cast<double>(l - 1) / static_cast<double>(hidden - 1) : 0.0;
  const auto wanted = static_cast<Index>(std::lround((1 - pyramid * falling) * depth));
  const Index layers = std::clamp<Index>(wanted, 1, hidden + 1 - l);
  std::vector<Index> head;
  for (Index i = 1; i < layers; ++i) {
    const double at = static_cast<double>(l) + static_cast<double>((hidden - l) * i) / static_cast<double>(layers - 1);
    head.push_back(widths[static_cast<std::size_t>(std::lround(at))]);
  }
  head.push_back(widths.back());
  return head;
}

class AugLocal : public WholeBatch {
 public:
  AugLocal(RuleInfo info, const RuleContext& context) : WholeBatch(std::move(info)) {
    const Network& net = context.net;
    const auto depth = static_cast<double>(context.params.integer("depth"));
    for (Index l = 1; l < net.hidden_layers(); ++l) {
      first_.push_back(heads_.layers());
      Index below = net.widths()[static_cast<std::size_t>(l)];
      for (const Index width :
           head_widths(net.widths(), l, net.hidden_layers(), depth, context.params.real("pyramid"))) {
        heads_.add(width, below);
        below = width;
      }
    }
    first_.push_back(heads_.layers());
    heads_.initialise(context.seed);
    signal_.resize(static_cast<std::size_t>(net.hidden_layers()));
    head_h_.resize(static_cast<std::size_t>(context.params.integer("depth")));
  }

  Trainable own() override { return heads_.trainable(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
    begin(samples, static_cast<std::size_t>(std::max<Index>(1, hidden)));
    View<const float> in = batch.activations.h[0];
    for (Index l = 0; l < hidden; ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l % 2)];
      Matrix<float>& delta = batch.keep_signal ? signal_[static_cast<std::size_t>(l)] : delta_;
      layer_forward(net, l, in, h);
      if (l + 1 < hidden)
        learn_head(net.activation(l), l, h, batch, delta);
      else
        learn_output(net, h, batch, gradient, &delta);
      times_derivative(net.activation(l), h, delta);
      layer_gradient(net, l, delta, in, samples, gradient);
      in = h;
    }
    if (hidden == 0) learn_output(net, in, batch, gradient, nullptr);
    kept_ = batch.keep_signal;
    touched_ = declared(net, samples);
  }
  View<const float> teaching_signal(Index layer) const override {
    return kept_ ? signal_[static_cast<std::size_t>(layer)].view() : View<const float>{};
  }
  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }

 private:
  double error_of(const RuleBatch& batch, View<const float> logits) {
    error_.resize(logits.rows(), logits.cols());
    return output_error(batch.loss, logits, batch.labels, error_);
  }

  /// Back-propagation inside the head of hidden layer `layer` (from 0); `below` gets the signal at h.
  void learn_head(Activation f, Index layer, View<const float> h, const RuleBatch& batch, Matrix<float>& below) {
    const Index first = first_[static_cast<std::size_t>(layer)], end = first_[static_cast<std::size_t>(layer) + 1];
    View<const float> in = h;
    for (Index i = first; i < end; ++i) {
      Matrix<float>& out = head_h_[static_cast<std::size_t>(i - first)];
      dense(i + 1 < end ? f : Activation::identity, heads_.weights(i), heads_.bias(i), in, out);
      in = out;
    }
    layer_loss_[static_cast<std::size_t>(layer)] = error_of(batch, in) / static_cast<double>(h.rows());
    for (Index i = end - 1; i >= first; --i) {
      const View<const float> input = i == first ? h : std::as_const(head_h_[static_cast<std::size_t>(i - first) - 1]);
      dense_gradient(error_, input, h.rows(), heads_.weight_gradient(i), heads_.bias_gradient(i));
      back_through(error_, heads_.weights(i), below);
      if (i == first) break;
      times_derivative(f, input, below);
      error_.swap(below);
    }
  }

  /// The last hidden layer's head is the output layer itself.
  void learn_output(const Network& net, View<const float> in, const RuleBatch& batch, std::span<float> gradient,
                    Matrix<float>* below) {
    const Index output = net.hidden_layers();
    layer_forward(net, output, in, logits_);
    loss_ = error_of(batch, logits_);
    layer_loss_.back() = loss_ / static_cast<double>(in.rows());
    layer_gradient(net, output, error_, in, in.rows(), gradient);
    if (below) back_through(error_, net.weights(output), *below);
  }

  OwnLayers heads_;
  std::vector<Index> first_;  ///< number of the first layer of each head, and the end of the last
  std::array<Matrix<float>, 2> h_;
  std::vector<Matrix<float>> head_h_, signal_;
  Matrix<float> delta_, logits_, error_;
  bool kept_ = false;
};

}  // namespace

RuleModel auglocal_rule() {
  const RuleInfo info{
      .name = "auglocal",
      .summary = "AugLocal: each hidden layer learns through a head of several layers shaped like some above it",
      .equation =
          "delta_l = back-propagation of softmax(head_l(h_l)) - y through head_l; the last hidden layer's head is "
          "the output layer",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer; heads on the host",
      .source = "Ma, Wu, Si, Tan, ICLR 2024, arXiv 2402.17318, section 3 (uniform choice, pyramidal depth)",
      .params = {{"depth", "1", std::int64_t{2}, 1, 1e3, "layers of the lowest head, its output among them"},
                 {"pyramid", "1", 0.5, 0, 1, "by what share heads are shallower at the top"}},
      .own_forward = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<AugLocal>(info, context); }};
}

}  // namespace lightloop
