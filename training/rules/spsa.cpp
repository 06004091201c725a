// SPSA: all weights move at once along a random corner of the cube, forth and back; two losses give the slope.
#include <cmath>

#include "training/elementwise.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/trial.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

constexpr Index kBits = 32;  // weights per random word

class Spsa : public WholeBatch {
 public:
  Spsa(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        directions_(context.params.integer("directions")),
        c_(context.params.real("c")),
        gamma_(context.params.real("gamma")),
        stream_(context.seed, 0, kRulePerturbation),
        trial_(context.seed),
        delta_(1, context.parameters()) {}

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    begin(static_cast<Index>(batch.labels.size()), 0);
    const Index counted = batch.targets().counted();
    const auto c = static_cast<float>(c_ / std::pow(static_cast<double>(batch.step + 1), gamma_));
    const double share = 1 / static_cast<double>(directions_);
    for (Index k = 0; k < directions_; ++k) {
      draw(batch.step * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k));
      const double up = trial_.mean_loss(net, batch, delta_.flat(), c);
      const double down = trial_.mean_loss(net, batch, delta_.flat(), -c);
      loss_ += 0.5 * (up + down) * share * static_cast<double>(counted);
      const auto slope = static_cast<float>((up - down) / (2 * static_cast<double>(c)) * share);
      const float* const d = delta_.data();
      float* const g = gradient.data();
      for_chunks(delta_.size(), kChunk, [&](Index first, Index n) {
        for (Index i = first; i < first + n; ++i) g[i] = (k == 0 ? 0 : g[i]) + slope * d[i];
      });
    }
    touched_ = declared(net, batch.activations.h[0].rows());
  }

  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = 2 * directions_ * net.layers() * samples, .writes = 2 * directions_ * net.layers()};
  }

 private:
  /// +-1 with equal chance, from the bits of the words.
  void draw(std::uint64_t row) {
    for_chunks(delta_.size(), kChunk, [&](Index first, Index n) {
      std::uint32_t words[kChunk / kBits];
      const std::span used(words, static_cast<std::size_t>((n + kBits - 1) / kBits));
      stream_.words(row, static_cast<std::uint64_t>(first / kBits), used);
      float* const d = delta_.data() + first;
      for (Index i = 0; i < n; ++i) d[i] = (words[i / kBits] >> (i % kBits) & 1u) != 0 ? 1.0f : -1.0f;
    });
  }

  Index directions_;
  double c_, gamma_;
  Stream stream_;
  TrialNetwork trial_;
  Matrix<float> delta_;
};

}  // namespace

RuleModel spsa_rule() {
  const RuleInfo info{
      .name = "spsa",
      .summary = "simultaneous perturbation: two losses per random direction of all weights; nothing else is asked",
      .equation = "g = mean over k of [L(w + c D_k) - L(w - c D_k)] / (2 c) D_k, D = +-1; c = c_0 / (step + 1)^gamma",
      .needs = Needs::forward_only,
      .cost = "2 k forward passes and 2 k writes of all weights",
      .source = "Spall, IEEE Trans. Autom. Control 37, 332 (1992); exponents of his 1998 guide",
      .params = {{"directions", "1", std::int64_t{1}, 1, 1e6, "k, directions averaged in a step"},
                 {"c", "1", 0.01, 1e-6, 10,
                  "c_0, size of the perturbation of every weight; of programmes, of a code's range"},
                 {"gamma", "1", 0.101, 0, 1, "how fast the perturbation shrinks"}},
      .masks = true,
      .by_error = true,
      .own_forward = true,
      .trials = true,
      .programmes = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<Spsa>(info, context); }};
}

}  // namespace lightloop
