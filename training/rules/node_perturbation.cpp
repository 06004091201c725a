// Node perturbation: noise on the inputs of all units at once; the change of a sample's loss says which way was good.
#include <algorithm>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
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
        exact_output_(context.params.boolean("exact_output")) {
    for (Index l = 0; l < context.net.layers(); ++l) streams_.emplace_back(context.seed, l, kRulePerturbation);
    noise_.resize(streams_.size());
    delta_.resize(streams_.size());
    h_.resize(streams_.size());
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = batch.error.rows();
    begin(samples, 0);
    touched_ = declared(net, samples);
    clean_.resize(1, samples);
    if (!two_sided_) losses(batch, batch.activations.h.back(), clean_);
    for (Index l = 0; l < perturbed_layers(net); ++l) {
      Matrix<float>& delta = delta_[static_cast<std::size_t>(l)];
      delta.resize(samples, net.weights(l).rows());
      for_rows(delta.rows(), delta.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) std::ranges::fill(delta.row(r), 0.0f);
      });
    }
    for (Index k = 0; k < directions_; ++k) {
      draw(net, batch, k);
      pass(net, batch, sigma_, up_);
      if (two_sided_) pass(net, batch, -sigma_, clean_);
      for (Index l = 0; l < perturbed_layers(net); ++l) add(l);
    }
    for (Index l = 0; l < net.layers(); ++l) {
      const bool exact = l >= perturbed_layers(net);
      layer_gradient(net, l, exact ? batch.error : delta_[static_cast<std::size_t>(l)].view(),
                     batch.activations.h[static_cast<std::size_t>(l)], samples, gradient);
    }
  }
  View<const float> teaching_signal(Index layer) const override { return delta_[static_cast<std::size_t>(layer)]; }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (two_sided_ ? 2 : 1) * directions_ * net.layers() * samples};
  }

 private:
  Index perturbed_layers(const Network& net) const { return exact_output_ ? net.hidden_layers() : net.layers(); }

  void losses(const RuleBatch& batch, View<const float> logits, Matrix<float>& out) {
    error_.resize(logits.rows(), logits.cols());
    out.resize(1, logits.rows());
    for (Index r = 0; r < logits.rows(); ++r)
      out(0, r) = static_cast<float>(output_error(batch.loss, logits.rows(r, 1),
                                                  batch.labels.subspan(static_cast<std::size_t>(r), 1),
                                                  error_.view().rows(r, 1)));
  }

  void draw(const Network& net, const RuleBatch& batch, Index k) {
    for (Index l = 0; l < perturbed_layers(net); ++l) {
      Matrix<float>& noise = noise_[static_cast<std::size_t>(l)];
      noise.resize(batch.error.rows(), net.weights(l).rows());
      for_rows(noise.rows(), noise.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) {
          const std::uint64_t sample = batch.first_sample + static_cast<std::uint64_t>(r);
          streams_[static_cast<std::size_t>(l)].normal(
              sample * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k), 0, noise.row(r));
        }
      });
    }
  }

  /// Loss of every sample with `sigma` times the noise on the inputs of the units.
  void pass(const Network& net, const RuleBatch& batch, float sigma, Matrix<float>& out) {
    View<const float> in = batch.activations.h[0];
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l)];
      const View<const float> w = net.weights(l);
      h.resize(in.rows(), w.rows());
      gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, h);
      for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) {
          float* const a = h.row(r).data();
          if (l < perturbed_layers(net)) {
            const float* const xi = noise_[static_cast<std::size_t>(l)].row(r).data();
            for (Index j = 0; j < h.cols(); ++j) a[j] += sigma * xi[j];
          }
          bias_and_activate(net.activation(l), net.bias(l), h.row(r));
        }
      });
      in = h;
    }
    losses(batch, in, out);
  }

  /// delta_l += (change of the loss) / sigma * noise, averaged over the directions.
  void add(Index layer) {
    Matrix<float>& delta = delta_[static_cast<std::size_t>(layer)];
    const Matrix<float>& noise = noise_[static_cast<std::size_t>(layer)];
    const float factor = (two_sided_ ? 0.5f : 1.0f) / (sigma_ * static_cast<float>(directions_));
    for_rows(delta.rows(), delta.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r) {
        const float change = factor * (up_(0, r) - clean_(0, r));
        const float* const xi = noise.row(r).data();
        float* const d = delta.row(r).data();
        for (Index j = 0; j < delta.cols(); ++j) d[j] += change * xi[j];
      }
    });
  }

  Index directions_;
  float sigma_;
  bool two_sided_, exact_output_;
  std::vector<Stream> streams_;
  std::vector<Matrix<float>> noise_, delta_, h_;
  Matrix<float> clean_, up_, error_;
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
                 {"exact_output", "", true, 0, 0, "the output layer learns from its error, which is known"}}};
  return {info, [info](const RuleContext& context) { return std::make_unique<NodePerturbation>(info, context); }};
}

}  // namespace lightloop
