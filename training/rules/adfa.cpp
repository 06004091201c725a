// Augmented DFA: direct feedback alignment that does not know the non-linearity of the forward pass.
#include "training/rules/adfa.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/vector_math.hpp"
#include "training/activation_bytes.hpp"
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

/// A batch after its own forward pass: what is shown of it, and what its hidden layers learn from.
struct Pass {
  Index samples = 0;  ///< 0: there was none yet
  Activations activations;
  std::vector<Matrix<float>> delta;  ///< g(a), which becomes the teaching signal
  Matrix<float> error, projected;
  bool projects = false;  ///< the device is at it
};

class AugmentedDfa : public WholeBatch {
 public:
  AugmentedDfa(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        feedback_(context.feedback),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers())),
        gate_(gate_from(context.params)),
        scale_(static_cast<float>(context.params.real("scale"))),
        delays_(context.params.integer("delay") > 0) {
    check_feedback(this->info(), context);
    if (delays_ && context.map)
      throw Unsupported("rule.delay of rule adfa", "physics stands in front of the layers",
                        "what it made of a batch is not kept for the next step", "leave it out, or use dfa");
    for (Pass& pass : passes_) {
      pass.activations.h.resize(static_cast<std::size_t>(context.net.layers()) + 1);
      pass.delta.resize(static_cast<std::size_t>(context.net.hidden_layers()));
    }
  }
  ~AugmentedDfa() override {
    try {
      wait();  // what the device writes to is going
    } catch (...) {
    }
  }
  AugmentedDfa(const AugmentedDfa&) = delete;
  AugmentedDfa& operator=(const AugmentedDfa&) = delete;

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
    begin(samples, 0);
    touched_ = declared(net, samples);
    Pass& now = passes_[delays_ ? 1 - now_ : now_];
    run(net, batch, now);
    wait();  // with a delay for the batch before
    if (delays_) now_ = 1 - now_;
    if (hidden > 0) {
      now.projected.resize(samples, feedback_->outputs());
      feedback_->begin(now.error, now.projected);
      now.projects = true;
    }
    layer_gradient(net, hidden, now.error, input(now, hidden), samples, gradient);
    batch.tell_done(hidden);
    if (!delays_) wait();
    Pass& learned = taught_pass();
    for (Index l = 0; l < hidden; ++l) {
      Matrix<float>& delta = learned.delta[static_cast<std::size_t>(l)];
      if (learned.samples == 0) {  // the first step of a delay
        delta.resize(0, net.weights(l).rows());
        layer_gradient(net, l, delta, {nullptr, 0, net.weights(l).cols()}, 1, gradient);
        continue;
      }
      teach(learned.projected, delta);
      layer_gradient(net, l, delta, input(learned, l), learned.samples, gradient);
      batch.tell_done(l);
    }
  }
  void wait() override {
    if (std::exchange(passes_[now_].projects, false)) feedback_->finish();
  }
  std::span<const Index> active_rows() const override {
    if (!delays_) return WholeBatch::active_rows();
    return taught_rows_;
  }
  View<const float> teaching_signal(Index layer) const override {
    return passes_[delays_ ? 1 - now_ : now_].delta[static_cast<std::size_t>(layer)];
  }
  std::optional<EarlierBatch> taught() const override {
    if (!delays_) return std::nullopt;
    const Pass& pass = passes_[1 - now_];
    return EarlierBatch{pass.samples > 0 ? &pass.activations : nullptr, pass.error};
  }
  std::vector<double> weight_alignment(const Network& net, View<const float> matrix) override {
    return broadcast_alignment(net, matrix);
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = net.layers() * samples, .projections = net.hidden_layers() > 0 ? samples : 0};
  }
  /// With a delay the batch whose signal is to come; wait() has been called.
  std::vector<std::byte> snapshot() const override {
    ByteWriter out;
    if (!delays_) return out.take();
    const Pass& pass = passes_[now_];
    LIGHTLOOP_ASSERT(!pass.projects);
    out.put(pass.samples);
    if (pass.samples == 0) return out.take();
    put(out, pass.activations);
    for (const Matrix<float>& gate : pass.delta) put(out, gate);
    put(out, pass.error);
    put(out, pass.projected);
    return out.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader in(state, "snapshot of rule adfa");
    Pass pass = passes_[0];
    if (delays_) pass.samples = in.get<Index>();
    if (pass.samples != 0) {
      get(in, pass.activations);
      for (Matrix<float>& gate : pass.delta) get(in, gate);
      get(in, pass.error);
      get(in, pass.projected);
      const auto fits = [&](const Matrix<float>& rows) { return rows.rows() == pass.samples; };
      if (pass.samples < 0 || pass.activations.h.size() != passes_[0].activations.h.size() ||
          !std::ranges::all_of(pass.activations.h, fits) || !std::ranges::all_of(pass.delta, fits) ||
          !fits(pass.error) || (feedback_ && !(fits(pass.projected) && pass.projected.cols() == feedback_->outputs())))
        in.refuse("a batch of other sizes");
    }
    in.done();
    now_ = 0;
    passes_[0] = std::move(pass);
  }

 private:
  /// The batch that the hidden layers learn from, after the projection of the present one has begun.
  Pass& taught_pass() {
    Pass& pass = passes_[delays_ ? 1 - now_ : now_];
    if (delays_) {
      taught_rows_.resize(static_cast<std::size_t>(pass.samples));
      std::iota(taught_rows_.begin(), taught_rows_.end(), Index{0});
    }
    return pass;
  }
  /// Forward; the gates too, and the error.
  void run(const Network& net, const RuleBatch& batch, Pass& pass) {
    std::vector<Matrix<float>>& h = pass.activations.h;
    pass.samples = static_cast<Index>(batch.labels.size());
    h[0] = batch.activations.h[0];
    for (Index l = 0; l < net.layers(); ++l) {
      const auto at = static_cast<std::size_t>(l);
      layer_sums(net, l, h[at], h[at + 1]);
      if (l < net.hidden_layers()) pass_gate(net.activation(l), h[at + 1], pass.delta[at]);
    }
    pass.error.resize(pass.samples, h.back().cols());
    loss_ = answer_error(batch.loss, h.back(), batch.targets(), pass.error);
  }
  View<const float> input(const Pass& pass, Index layer) {
    const auto at = static_cast<std::size_t>(layer);
    return inputs_.seen(pass.activations.h[at], at);
  }
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
  void teach(const Matrix<float>& projected, Matrix<float>& gate) {
    const float scale = scale_ / std::sqrt(static_cast<float>(gate.cols()));
    for_rows(gate.rows(), gate.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* const be = projected.row(r).data();
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
  bool delays_;
  std::array<Pass, 2> passes_;  ///< with a delay in turn
  std::size_t now_ = 0;
  std::vector<Index> taught_rows_;
  Matrix<float> nothing_;
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
                  "device whose matrix a digital run measures and uses; empty: drawn from the seed"},
                 delay_param()},
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
