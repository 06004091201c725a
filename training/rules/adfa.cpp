// Augmented DFA: direct feedback alignment that does not know the non-linearity of the forward pass.
#include "training/rules/adfa.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/vector_math.hpp"
#include "training/elementwise.hpp"
#include "training/rules/broadcast.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/return_path.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// In place: a <- g(k a). `sin` and `cos` are those of the paper's optical layer; `sech2` is the derivative of tanh.
enum class Kind { cos, sin, sech2, one };

Kind kind_from(const std::string& name) {
  return name == "cos" ? Kind::cos : name == "sin" ? Kind::sin : name == "sech2" ? Kind::sech2 : Kind::one;
}

void open_gate(Kind gate, float k, std::span<float> a) {
  for (float& v : a) v *= k;
  switch (gate) {
    case Kind::cos:
      return vector_cos(a, a);
    case Kind::sin:
      return vector_sin(a, a);
    case Kind::sech2:
      vector_tanh(a, a);
      for (float& v : a) v = 1 - v * v;
      return;
    case Kind::one:
      std::ranges::fill(a, 1.0f);
  }
}

class AugmentedDfa : public WholeBatch {
 public:
  AugmentedDfa(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        feedback_(context.feedback),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers())),
        gate_(gate_from(context.params)),
        scale_(static_cast<float>(context.params.real("scale"))) {
    check_feedback(this->info(), context);
    h_.resize(static_cast<std::size_t>(context.net.layers()));
    delta_.resize(static_cast<std::size_t>(context.net.hidden_layers()));
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
    begin(samples, 0);
    touched_ = declared(net, samples);
    View<const float> in = batch.activations.h[0];
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l)];
      layer_sums(net, l, in, h);
      if (l < hidden) pass_gate(net.activation(l), h, delta_[static_cast<std::size_t>(l)]);
      in = h;
    }
    error_.resize(samples, h_.back().cols());
    loss_ = answer_error(batch.loss, h_.back(), batch.targets(), error_);
    if (hidden > 0) {
      projected_.resize(samples, feedback_->outputs());
      feedback_->begin(error_, projected_);
    }
    const auto input = [&](Index l) {
      const auto at = static_cast<std::size_t>(l);
      return inputs_.seen(l == 0 ? View<const float>(batch.activations.h[0]) : std::as_const(h_[at - 1]), at);
    };
    layer_gradient(net, hidden, error_, input(hidden), samples, gradient);
    if (hidden > 0) feedback_->finish();
    for (Index l = 0; l < hidden; ++l) {
      teach(delta_[static_cast<std::size_t>(l)]);
      layer_gradient(net, l, delta_[static_cast<std::size_t>(l)], input(l), samples, gradient);
    }
  }
  View<const float> teaching_signal(Index layer) const override { return delta_[static_cast<std::size_t>(layer)]; }
  std::vector<double> weight_alignment(const Network& net, View<const float> matrix) override {
    return broadcast_alignment(net, matrix);
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = net.layers() * samples, .projections = net.hidden_layers() > 0 ? samples : 0};
  }

 private:
  void layer_sums(const Network& net, Index layer, View<const float> in, Matrix<float>& out) {
    layer_product(net, layer, inputs_.see(layer, in, static_cast<std::size_t>(layer)), out, products_);
    for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        bias_and_activate(Activation::identity, net.bias(layer), out.row(r));
    });
  }
  /// a in `h` becomes f(a), and `gate` becomes g(a).
  void pass_gate(Activation f, Matrix<float>& h, Matrix<float>& gate) {
    gate.resize(h.rows(), h.cols());
    nothing_.resize(1, h.cols());
    std::ranges::fill(nothing_.flat(), 0.0f);
    for_rows(h.rows(), h.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        std::ranges::copy(h.row(r), gate.row(r).begin());
        gate_(gate.row(r));
        bias_and_activate(f, nothing_.flat(), h.row(r));
      }
    });
  }
  /// `gate` becomes the teaching signal.
  void teach(Matrix<float>& gate) {
    const float scale = scale_ / std::sqrt(static_cast<float>(gate.cols()));
    for_rows(gate.rows(), gate.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* const be = projected_.row(r).data();
        float* const delta = gate.row(r).data();
        for (Index j = 0; j < gate.cols(); ++j) delta[j] *= scale * be[j];
      }
    });
  }

  Feedback* feedback_;  // null without hidden layers
  LayerProducts* products_;
  LayerInputs inputs_;
  Gate gate_;
  float scale_;
  std::vector<Matrix<float>> h_, delta_;
  Matrix<float> error_, projected_, nothing_;
};

}  // namespace

Gate gate_from(const ParamSet& params) {
  return [kind = kind_from(params.text("gate")),
          k = static_cast<float>(params.real("gate_scale"))](std::span<float> a) { open_gate(kind, k, a); };
}

RuleModel adfa_rule() {
  const RuleInfo info{
      .name = "adfa",
      .summary = "augmented DFA: any function gates the projected error, not the derivative of the forward pass",
      .equation =
          "delta_l = (B_l e) * g(a_l), g free; delta_L = e; in nets of any layers B_b e arrives at the end of "
          "a block, and g stands for f' of its last non-linearity",
      .needs = Needs::fixed_projection,
      .cost = "one projection per sample; g may be physical too",
      .source = "Nakajima et al., Nat. Commun. 13, 7847 (2022), arXiv 2204.13991, equation 3",
      .params = {{"gate",
                  "",
                  std::string("cos"),
                  0,
                  0,
                  "g: cos(k a), sin(k a), 1 - tanh(k a)^2, or 1",
                  {"cos", "sin", "sech2", "one"}},
                 {"gate_scale", "1", 1.0, 1e-3, 1e3, "k; 1 with sech2 on a tanh net is DFA itself"},
                 {"scale", "1", 1.0, 1e-6, 1e6, "factor on the teaching signal, as in rule dfa"},
                 {"matrix_from", "", std::string(), 0, 0,
                  "device whose matrix a digital run measures and uses; empty: drawn from the seed"}},
      .encoding = "bitplanes:6",
      .real_targets = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_adfa(info, context);
            return std::make_unique<AugmentedDfa>(info, context);
          }};
}

}  // namespace lightloop
