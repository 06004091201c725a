// PEPG: parameter-exploring policy gradients with symmetric samples. The loss is averaged over a Gaussian cloud of
// weights; its centre and its widths follow the gradient of that average.
#include <cmath>

#include "core/vector_math.hpp"
#include "training/elementwise.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/trial.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

class Pepg : public WholeBatch {
 public:
  Pepg(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        pairs_(context.params.integer("pairs")),
        adapts_(context.params.boolean("adapt")),
        stream_(context.seed, 0, kRulePerturbation),
        trial_(context.seed),
        direction_(1, context.parameters()),
        log_sigma_(1, direction_.size()),
        log_sigma_gradient_(1, direction_.size()),
        sigma_(1, direction_.size()),
        up_(static_cast<std::size_t>(pairs_)),
        down_(up_.size()) {
    std::ranges::fill(log_sigma_.flat(), static_cast<float>(std::log(context.params.real("sigma"))));
  }

  Trainable own() override {
    if (!adapts_) return {};
    return {log_sigma_.flat(), log_sigma_gradient_.flat()};
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    begin(static_cast<Index>(batch.labels.size()), 0);
    const Index counted = batch.targets().counted();
    for_chunks(sigma_.size(), kChunk, [&](Index first, Index n) {
      const auto at = static_cast<std::size_t>(first), count = static_cast<std::size_t>(n);
      vector_exp(log_sigma_.flat().subspan(at, count), sigma_.flat().subspan(at, count));
    });
    double total = 0;
    for (Index k = 0; k < pairs_; ++k) {
      draw(row(batch, k), true);
      const auto i = static_cast<std::size_t>(k);
      up_[i] = trial_.mean_loss(net, batch, direction_.flat(), 1);
      down_[i] = trial_.mean_loss(net, batch, direction_.flat(), -1);
      total += 0.5 * (up_[i] + down_[i]);
    }
    loss_ = total / static_cast<double>(pairs_) * static_cast<double>(counted);
    for (Index k = 0; k < pairs_; ++k) {
      draw(row(batch, k), false);  // the same numbers again: no direction is stored
      add(k, total, gradient);
    }
    touched_ = declared(net, batch.activations.h[0].rows());
  }

  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = 2 * pairs_ * net.layers() * samples, .writes = 2 * pairs_ * net.layers()};
  }

 private:
  std::uint64_t row(const RuleBatch& batch, Index k) const {
    return batch.step * static_cast<std::uint64_t>(pairs_) + static_cast<std::uint64_t>(k);
  }
  /// z, or sigma z.
  void draw(std::uint64_t row, bool scaled) {
    for_chunks(direction_.size(), kChunk, [&](Index first, Index n) {
      float* const z = direction_.data() + first;
      const float* const sigma = sigma_.data() + first;
      stream_.normal(row, static_cast<std::uint64_t>(first), {z, static_cast<std::size_t>(n)});
      if (!scaled) return;
      for (Index i = 0; i < n; ++i) z[i] *= sigma[i];
    });
  }
  void add(Index k, double total, std::span<float> gradient) {
    const auto i = static_cast<std::size_t>(k);
    const auto n = static_cast<double>(pairs_);
    const double mean = 0.5 * (up_[i] + down_[i]), others = (total - mean) / (n - 1);
    const auto slope = static_cast<float>(0.5 * (up_[i] - down_[i]) / n);
    const auto excess = static_cast<float>((mean - others) / n);
    const float *z = direction_.data(), *sigma = sigma_.data();
    float* const gs = log_sigma_gradient_.data();
    float* const gw = gradient.data();
    for_chunks(direction_.size(), kChunk, [&](Index first, Index count) {
      for (Index j = first; j < first + count; ++j) {
        gw[j] = (k == 0 ? 0 : gw[j]) + slope * z[j] / sigma[j];
        if (adapts_) gs[j] = (k == 0 ? 0 : gs[j]) + excess * (z[j] * z[j] - 1);
      }
    });
  }

  Index pairs_;
  bool adapts_;
  Stream stream_;
  TrialNetwork trial_;
  Matrix<float> direction_, log_sigma_, log_sigma_gradient_, sigma_;
  std::vector<double> up_, down_;
};

}  // namespace

RuleModel pepg_rule() {
  const RuleInfo info{
      .name = "pepg",
      .summary = "policy gradients over the weights: a Gaussian cloud of networks, centre and widths learned",
      .equation =
          "w +- s z, z ~ N(0, 1): g_w = mean of (L+ - L-) / 2 z / s; g_{log s} = mean of ((L+ + L-) / 2 - b) "
          "(z^2 - 1), b the mean of the other pairs",
      .needs = Needs::forward_only,
      .cost = "2 n forward passes and 2 n writes of all weights, n pairs",
      .source = "Sehnke et al., Neural Networks 23, 551 (2010), section 2.3 (symmetric samples)",
      .params = {{"pairs", "1", std::int64_t{16}, 2, 1e6, "n, pairs of samples in a step"},
                 {"sigma", "1", 0.02, 1e-6, 10,
                  "s at the start (assumed: small beside initial weights); of programmes, of a code's range"},
                 {"adapt", "", true, 0, 0, "let the widths learn"}},
      .masks = true,
      .by_error = true,
      .own_forward = true,
      .trials = true,
      .programmes = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<Pepg>(info, context); }};
}

}  // namespace lightloop
