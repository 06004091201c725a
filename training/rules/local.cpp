// Local heads: every hidden layer learns from a linear classifier of its own. Layers are taught one after the other, so
// two layers' activations are held at a time.
#include <array>

#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

class LocalHeads : public WholeBatch {
 public:
  LocalHeads(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)), sums_(context.params.text("answer") == "sum") {
    const auto& widths = context.net.widths();
    for (Index l = 0; l < context.net.hidden_layers(); ++l)
      heads_.add(widths.back(), widths[static_cast<std::size_t>(l) + 1]);
    heads_.initialise(context.seed);
    signal_.resize(static_cast<std::size_t>(context.net.hidden_layers()));
  }

  Trainable own() override { return heads_.trainable(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
    begin(samples, static_cast<std::size_t>(net.layers()));
    View<const float> in = batch.activations.h[0];
    for (Index l = 0; l < hidden; ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l % 2)];
      Matrix<float>& delta = batch.keep_signal ? signal_[static_cast<std::size_t>(l)] : delta_;
      layer_forward(net, l, in, h);
      dense(Activation::identity, heads_.weights(l), heads_.bias(l), h, logits_);
      note(l, output_error(batch.loss, logits_, batch.labels, error_of(samples, logits_.cols())), samples);
      dense_gradient(error_, h, samples, heads_.weight_gradient(l), heads_.bias_gradient(l));
      back_through(error_, heads_.weights(l), delta);
      times_derivative(net.activation(l), h, delta);
      layer_gradient(net, l, delta, in, samples, gradient);
      in = h;
    }
    kept_ = batch.keep_signal;
    layer_forward(net, hidden, in, logits_);
    loss_ = output_error(batch.loss, logits_, batch.labels, error_of(samples, logits_.cols()));
    note(hidden, loss_, samples);
    layer_gradient(net, hidden, error_, in, samples, gradient);
    touched_.passes = declared(net, samples).passes;
  }

  View<const float> teaching_signal(Index layer) const override {
    return kept_ ? signal_[static_cast<std::size_t>(layer)].view() : View<const float>{};
  }

  void scores(const Network& net, View<const float> x, View<float> out) override {
    View<const float> in = x;
    for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
    for (Index l = 0; l <= net.hidden_layers(); ++l) {
      const bool last = l == net.hidden_layers();
      Matrix<float>& h = h_[static_cast<std::size_t>(l % 2)];
      layer_forward(net, l, in, h);
      if (last || sums_) {
        if (!last) dense(Activation::identity, heads_.weights(l), heads_.bias(l), h, logits_);
        add_rows(last ? h : logits_, out);
      }
      in = h;
    }
  }

  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }

 private:
  View<float> error_of(Index rows, Index cols) {
    error_.resize(rows, cols);
    return error_;
  }
  void note(Index layer, double summed, Index samples) {
    layer_loss_[static_cast<std::size_t>(layer)] = summed / static_cast<double>(samples);
  }

  bool sums_;
  OwnLayers heads_;
  std::array<Matrix<float>, 2> h_;
  Matrix<float> logits_, error_, delta_;
  std::vector<Matrix<float>> signal_;
  bool kept_ = false;
};

}  // namespace

RuleModel local_rule() {
  const RuleInfo info{
      .name = "local",
      .summary = "local heads: a linear classifier on every hidden layer teaches that layer alone",
      .equation = "delta_l = A_l^T (softmax(A_l h_l + c_l) - y) * f'(a_l), A_l trained with it; delta_L = e",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer; heads on the host",
      .source = "Belilovsky, Eickenberg, Oyallon, arXiv 1901.08164; Mono-Forward, arXiv 2501.09238",
      .params = {{"answer",
                  "",
                  std::string("output"),
                  0,
                  0,
                  "logits of the output layer, or the sum of those of all heads and the output",
                  {"output", "sum"}}},
      .own_forward = true,
      .own_answer = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<LocalHeads>(info, context); }};
}

}  // namespace lightloop
