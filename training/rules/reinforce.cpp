// REINFORCE: hidden neurons fire at random and learn from the loss alone.
#include "training/rules/reinforce.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// The loss of one sample from its error: softmax - y, or a - y of the squared loss.
double loss_of(Loss loss, std::span<const float> error, std::uint8_t label) {
  if (loss == Loss::cross_entropy) return -std::log(std::max(1.0 + static_cast<double>(error[label]), 1e-12));
  double sum = 0;
  for (const float e : error) sum += 0.5 * static_cast<double>(e) * static_cast<double>(e);
  return sum;
}

class Reinforce : public WholeBatch {
 public:
  Reinforce(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        baseline_(context.params.real("memory")),
        recomputes_(recomputes("reinforce", context)),
        seed_(context.seed),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers())) {
    const Activation f = context.net.hidden_activation();
    if (context.net.hidden_layers() > 0 && f != Activation::tanh && f != Activation::sigmoid)
      throw Unsupported("rule reinforce", "train.activation = " + to_string(f),
                        "tanh (neurons of -1 and 1) or sigmoid (0 and 1): the mean of a neuron that fires");
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    const Index hidden = net.hidden_layers();
    begin(x.rows(), 0);
    mean_.resize(static_cast<std::size_t>(recomputes_ ? std::min<Index>(2, hidden) : hidden));
    fired_.resize(mean_.size());
    View<const float> in = x;
    for (Index l = 0; l < hidden; ++l) in = run_layer(net, batch, l, in);
    const auto last = static_cast<std::size_t>(hidden);
    layer_forward(net, hidden, inputs_.see(hidden, in, last), logits_, products_);
    error_.resize(logits_.rows(), logits_.cols());
    loss_ = answer_error(batch.loss, logits_, batch.targets(), error_);
    layer_gradient(net, hidden, error_, inputs_.seen(in, last), x.rows(), gradient);
    const double baseline = baseline_.next(loss_ / static_cast<double>(x.rows()));
    in = x;
    for (Index l = 0; l < hidden; ++l) {  // delta = (L - b) (h - mean), in place of the mean
      if (recomputes_) run_layer(net, batch, l, in);
      Matrix<float>& delta = mean_[place(l)];
      const Matrix<float>& fired = fired_[place(l)];
      for (Index r = 0; r < delta.rows(); ++r) {
        const auto told = static_cast<float>(
            loss_of(batch.loss, error_.row(r), batch.labels[static_cast<std::size_t>(r)]) - baseline);
        for (Index i = 0; i < delta.cols(); ++i) delta(r, i) = told * (fired(r, i) - delta(r, i));
      }
      layer_gradient(net, l, delta, inputs_.seen(in, static_cast<std::size_t>(l)), x.rows(), gradient);
      in = fired;
    }
    touched_ = declared(net, x.rows());
  }
  View<const float> teaching_signal(Index layer) const override {
    return recomputes_ ? View<const float>{} : mean_[static_cast<std::size_t>(layer)].view();
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (net.layers() + (recomputes_ ? net.hidden_layers() : 0)) * samples};
  }

  std::vector<std::byte> snapshot() const override { return baseline_.snapshot(); }
  void restore(const std::vector<std::byte>& state) override { baseline_.restore(state); }

 private:
  /// Every second layer takes the same place when activities are made again.
  std::size_t place(Index layer) const { return static_cast<std::size_t>(recomputes_ ? layer % 2 : layer); }
  View<const float> run_layer(const Network& net, const RuleBatch& batch, Index layer, View<const float> in) {
    layer_forward(net, layer, inputs_.see(layer, in, static_cast<std::size_t>(layer)), mean_[place(layer)], products_);
    fire(net.hidden_activation(), layer, batch.first_sample);
    return fired_[place(layer)];
  }
  void fire(Activation f, Index layer, std::uint64_t first_sample) {
    const Matrix<float>& mean = mean_[place(layer)];
    Matrix<float>& out = fired_[place(layer)];
    out.resize(mean.rows(), mean.cols());
    const Stream stream(seed_, static_cast<std::uint64_t>(layer), kRuleFiring);
    const bool two_sided = f == Activation::tanh;
    for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        stream.uniform(first_sample + static_cast<std::uint64_t>(r), 0, out.row(r));
        for (Index i = 0; i < out.cols(); ++i)
          out(r, i) =
              two_sided ? (2 * out(r, i) - 1 < mean(r, i) ? 1.0f : -1.0f) : (out(r, i) < mean(r, i) ? 1.0f : 0.0f);
      }
    });
  }

  RunningBaseline baseline_;
  bool recomputes_;
  std::uint64_t seed_;
  LayerProducts* products_;
  LayerInputs inputs_;
  std::vector<Matrix<float>> mean_, fired_;
  Matrix<float> logits_, error_;
};

}  // namespace

RuleModel reinforce_rule() {
  const RuleInfo info{
      .name = "reinforce",
      .summary = "hidden neurons fire at random, are told the loss, and become likelier where it was lower than usual",
      .equation =
          "h_l = two values with mean f(a_l); delta_l = (L - b) (h_l - f(a_l)); delta_L = e; dW_l = delta_l h_{l-1}^T; "
          "in "
          "nets of any layers f is the sigmoid of their layers `stochastic`, between which signals go back exactly",
      .needs = Needs::forward_only,
      .cost = "one forward pass",
      .source = "Williams, Mach. Learn. 8, 229 (1992)",
      .params = {{"memory", "1", 0.9, 0, 0.999999, "of the baseline b, a running mean of the loss"},
                 {"recompute", "", false, 0, 0,
                  "fire again, alike, for the gradient: two layers' activities are held instead of all; the same bits. "
                  "Of fully "
                  "connected nets"}},
      .by_error = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_reinforce(info, context);
            return std::make_unique<Reinforce>(info, context);
          }};
}

}  // namespace lightloop
