// Node perturbation: noise on the inputs of all units at once; the change of a sample's loss says which way was good.
// Behind physics every pass is read anew, with the noise of its own frames.
#include <array>

#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

class NodePerturbation : public WholeBatch {
 public:
  NodePerturbation(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        directions_(context.params.integer("directions")),
        sigma_(static_cast<float>(context.params.real("sigma"))),
        two_sided_(context.params.boolean("two_sided")),
        exact_output_(context.params.boolean("exact_output")),
        recomputes_(recomputes("node_perturbation", context)),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers()) + 1),
        h_(static_cast<std::size_t>(recomputes_ ? 2 : context.net.layers())) {
    for (Index l = 0; l < context.net.layers(); ++l) streams_.emplace_back(context.seed, l, kRulePerturbation);
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    const Index samples = x.rows();
    begin(samples, 0);
    touched_ = declared(net, samples);
    View<const float> in = x;
    for (Index l = 0; l < net.layers(); ++l) in = clean_pass(net, l, in);
    error_.resize(samples, in.cols());
    losses(batch, in, error_, clean_);
    loss_ = 0;
    for (const float v : clean_.flat()) loss_ += static_cast<double>(v);
    changes_.resize(directions_, samples);
    for (Index k = 0; k < directions_; ++k) {
      pass(net, batch, k, sigma_, up_);
      if (two_sided_) pass(net, batch, k, -sigma_, clean_);
      const float factor = (two_sided_ ? 0.5f : 1.0f) / (sigma_ * static_cast<float>(directions_));
      for (Index r = 0; r < samples; ++r) changes_(k, r) = factor * (up_(0, r) - clean_(0, r));
    }
    kept_ = batch.keep_signal;
    delta_.resize(static_cast<std::size_t>(kept_ ? net.layers() : 1));
    in = x;
    for (Index l = 0; l < net.layers(); ++l) {
      View<const float> delta = error_;
      if (perturbed(net, l)) delta = signal(net, batch, l);
      layer_gradient(net, l, delta, inputs_.seen(in, static_cast<std::size_t>(l)), samples, gradient);
      if (l < net.hidden_layers()) in = recomputes_ ? clean_pass(net, l, in) : View<const float>(of_clean_pass(l));
    }
  }
  View<const float> teaching_signal(Index layer) const override {
    return kept_ ? delta_[static_cast<std::size_t>(layer)].view() : View<const float>{};
  }
  StepTouch declared(const Network& net, Index samples) const override {
    const Index passes = 1 + (two_sided_ ? 2 : 1) * directions_;
    return {.passes = (passes * net.layers() + (recomputes_ ? net.hidden_layers() : 0)) * samples};
  }

 private:
  bool perturbed(const Network& net, Index layer) const { return !exact_output_ || layer < net.hidden_layers(); }

  /// Where the pass without noise leaves what comes out of layer l: every second layer takes the same place when it is
  /// made again for the gradient.
  Matrix<float>& of_clean_pass(Index l) { return h_[static_cast<std::size_t>(recomputes_ ? l % 2 : l)]; }
  View<const float> clean_pass(const Network& net, Index l, View<const float> in) {
    layer_forward(net, l, inputs_.see(l, in, static_cast<std::size_t>(l)), of_clean_pass(l), products_);
    return of_clean_pass(l);
  }

  /// Loss of every sample; `error` becomes what each leaves at the output.
  static void losses(const RuleBatch& batch, View<const float> logits, Matrix<float>& error, Matrix<float>& out) {
    out.resize(1, logits.rows());
    for (Index r = 0; r < logits.rows(); ++r) {
      Targets one{.labels = batch.labels.subspan(static_cast<std::size_t>(r), 1)};
      if (!batch.values.empty()) one.values = batch.values.rows(r, 1);
      out(0, r) = static_cast<float>(answer_error(batch.loss, logits.rows(r, 1), one, error.view().rows(r, 1)));
    }
  }

  /// Noise on layer `layer` in direction k, always the same: it is drawn when the pass needs it and when the gradient
  /// does, so that no more than one layer's is held.
  const Matrix<float>& noise(const Network& net, const RuleBatch& batch, Index layer, Index k) {
    noise_.resize(batch.activations.h[0].rows(), net.weights(layer).rows());
    for_rows(noise_.rows(), noise_.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r) {
        const std::uint64_t sample = batch.first_sample + static_cast<std::uint64_t>(r);
        streams_[static_cast<std::size_t>(layer)].normal(
            sample * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k), 0, noise_.row(r));
      }
    });
    return noise_;
  }

  /// Loss of every sample with `sigma` times the noise on the inputs of the units.
  void pass(const Network& net, const RuleBatch& batch, Index k, float sigma, Matrix<float>& out) {
    View<const float> in = batch.activations.h[0];
    const auto last = static_cast<std::size_t>(net.layers());  // place of inputs that nothing learns from
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = moved_[static_cast<std::size_t>(l % 2)];
      layer_product(net, l, inputs_.see(l, in, last), h, products_);
      const Matrix<float>* const added = perturbed(net, l) ? &noise(net, batch, l, k) : nullptr;
      for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) {
          if (added) {
            float* const a = h.row(r).data();
            const float* const xi = added->row(r).data();
            for (Index j = 0; j < h.cols(); ++j) a[j] += sigma * xi[j];
          }
          bias_and_activate(net.activation(l), net.bias(l), h.row(r));
        }
      });
      in = h;
    }
    moved_error_.resize(in.rows(), in.cols());
    losses(batch, in, moved_error_, out);
  }

  /// delta_l = sum over the directions of (change of the loss) / sigma * noise.
  View<const float> signal(const Network& net, const RuleBatch& batch, Index layer) {
    Matrix<float>& delta = delta_[static_cast<std::size_t>(kept_ ? layer : 0)];
    delta.resize(batch.activations.h[0].rows(), net.weights(layer).rows());
    for (Index k = 0; k < directions_; ++k) {
      const Matrix<float>& xi = noise(net, batch, layer, k);
      for_rows(delta.rows(), delta.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) {
          const float change = changes_(k, r);
          const float* const from = xi.row(r).data();
          float* const d = delta.row(r).data();
          for (Index j = 0; j < delta.cols(); ++j) d[j] = (k == 0 ? 0.0f : d[j]) + change * from[j];
        }
      });
    }
    return delta;
  }

  Index directions_;
  float sigma_;
  bool two_sided_, exact_output_, recomputes_, kept_ = false;
  LayerProducts* products_;
  LayerInputs inputs_;  ///< of the pass without noise, layer by layer, then of the others
  std::vector<Stream> streams_;
  std::vector<Matrix<float>> h_, delta_;
  std::array<Matrix<float>, 2> moved_;
  Matrix<float> noise_, clean_, up_, error_, moved_error_, changes_;
};

}  // namespace

RuleModel node_perturbation_rule() {
  const RuleInfo info{
      .name = "node_perturbation",
      .summary = "noise on the units' inputs, scored by the change of each sample's loss",
      .equation =
          "delta_l = mean over k of [L(a + sigma xi_k) - L(a)] / sigma xi_{k,l}, xi ~ N(0, 1) on all layers at "
          "once; two_sided: [L(a + sigma xi) - L(a - sigma xi)] / (2 sigma); delta_L = e",
      .needs = Needs::forward_only,
      .cost = "1 + k forward passes (two_sided: 2 k beside the first)",
      .source = "Werfel, Xie, Seung, Neural Comput. 17, 2699 (2005), section 2.2",
      .params = {{"directions", "1", std::int64_t{1}, 1, 1e6, "k, noises averaged per sample"},
                 {"sigma", "1", 0.01, 1e-6, 10, "size of the noise (assumed: the slope is then all that shows)"},
                 {"two_sided", "", false, 0, 0, "noise forth and back"},
                 {"exact_output", "", true, 0, 0, "the output layer learns from its error, which is known"},
                 {"recompute", "", false, 0, 0,
                  "make the pass without noise again for the gradient: two layers' activities are held instead of "
                  "all; the same bits"}},
      .real_targets = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<NodePerturbation>(info, context); }};
}

}  // namespace lightloop
