#include "training/rules/perturbed_passes.hpp"

#include "training/elementwise.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
void sample_losses(const RuleBatch& batch, View<const float> logits, Matrix<float>& error, Matrix<float>& out) {
  const std::size_t labels = batch.labels.size() / static_cast<std::size_t>(logits.rows());  // of a sample
  error.resize(logits.rows(), logits.cols());
  out.resize(1, logits.rows());
  for (Index r = 0; r < logits.rows(); ++r) {
    Targets one{.labels = batch.labels.subspan(static_cast<std::size_t>(r) * labels, labels)};
    if (!batch.values.empty()) one.values = batch.values.rows(r, 1);
    out(0, r) = static_cast<float>(answer_error(batch.loss, logits.rows(r, 1), one, error.view().rows(r, 1)));
  }
}

PerturbedPasses::PerturbedPasses(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      recomputes_(recomputes("node_perturbation", context)),
      directions_(context.params.integer("directions")),
      sigma_(static_cast<float>(context.params.real("sigma"))),
      two_sided_(context.params.boolean("two_sided")),
      exact_output_(context.params.boolean("exact_output")) {
  for (Index l = 0; l < context.net.layers(); ++l) streams_.emplace_back(context.seed, l, kRulePerturbation);
}

StepTouch PerturbedPasses::declared(const Network& net, Index samples) const {
  const Index passes = 1 + (two_sided_ ? 2 : 1) * directions_;
  return {.passes = (passes * net.layers() + (recomputes_ ? net.hidden_layers() : 0)) * samples};
}

void PerturbedPasses::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows();
  begin(static_cast<Index>(batch.labels.size()), 0);
  touched_ = declared(net, samples);
  View<const float> in = x;
  for (Index l = 0; l < net.layers(); ++l) in = clean_pass(net, l, in);
  sample_losses(batch, in, error_, clean_);
  loss_ = 0;
  for (const float v : clean_.flat()) loss_ += static_cast<double>(v);
  changes_.resize(directions_, samples);
  for (Index k = 0; k < directions_; ++k) {
    moved_losses(net, batch, k, sigma_, up_);
    if (two_sided_) moved_losses(net, batch, k, -sigma_, clean_);
    const float factor = (two_sided_ ? 0.5f : 1.0f) / (sigma_ * static_cast<float>(directions_));
    for (Index r = 0; r < samples; ++r) changes_(k, r) = factor * (up_(0, r) - clean_(0, r));
  }
  signals_.begin(net.hidden_layers(), batch);
  in = x;
  for (Index l = 0; l < net.layers(); ++l) {
    if (perturbed(net, l)) find_signal(net, batch, l);
    in = learn(net, l, in, perturbed(net, l) ? delta_ : error_, gradient);
    if (l < net.hidden_layers()) signals_.keep(l, delta_);
  }
}

const Matrix<float>& PerturbedPasses::noise(const Network& net, const RuleBatch& batch, Index layer, Index k) {
  noise_.resize(batch.activations.h[0].rows(), net.widths()[static_cast<std::size_t>(layer) + 1]);
  for_rows(noise_.rows(), noise_.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r) {
      const std::uint64_t sample = batch.first_sample + static_cast<std::uint64_t>(r);
      streams_[static_cast<std::size_t>(layer)].normal(
          sample * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k), 0, noise_.row(r));
    }
  });
  return noise_;
}

/// Loss of every sample with `sigma` times the noise of direction k.
void PerturbedPasses::moved_losses(const Network& net, const RuleBatch& batch, Index k, float sigma,
                                   Matrix<float>& out) {
  View<const float> in = batch.activations.h[0];
  for (Index l = 0; l < net.layers(); ++l)
    in = moved_pass(net, l, in, perturbed(net, l) ? &noise(net, batch, l, k) : nullptr, sigma);
  sample_losses(batch, in, moved_error_, out);
}

/// delta_l = sum over the directions of (change of the loss) / sigma * noise.
void PerturbedPasses::find_signal(const Network& net, const RuleBatch& batch, Index layer) {
  for (Index k = 0; k < directions_; ++k) {
    const Matrix<float>& xi = noise(net, batch, layer, k);
    delta_.resize(xi.rows(), xi.cols());
    for_rows(delta_.rows(), delta_.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r) {
        const float change = changes_(k, r);
        const float* const from = xi.row(r).data();
        float* const d = delta_.row(r).data();
        for (Index j = 0; j < delta_.cols(); ++j) d[j] = (k == 0 ? 0.0f : d[j]) + change * from[j];
      }
    });
  }
}

}  // namespace lightloop
