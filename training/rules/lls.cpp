// LLS, LLS-M and LLS-MxM: every hidden block is classified by fixed periodic patterns, and learns from that alone.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_rule.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {

enum class Mixing { none, scale, matrix };

/// Pattern s_c over `width` units, c from 0: a sine of class-dependent frequency, its sign, or random signs.
Matrix<float> patterns(const std::string& basis, Index classes, Index width, std::uint64_t seed, Index layer) {
  constexpr double kLowest = 50, kHighest = 512;  // published range, rad over the layer
  Matrix<float> s(classes, width);
  const Stream stream(seed, static_cast<std::uint64_t>(layer), kRuleFixed);
  for (Index c = 0; c < classes; ++c) {
    const double f =
        kLowest + (kHighest - kLowest) * static_cast<double>(c) / static_cast<double>(std::max<Index>(1, classes - 1));
    if (basis == "random") stream.normal(static_cast<std::uint64_t>(c), 0, s.row(c));
    for (Index j = 0; j < width; ++j) {
      const double wave = std::sin(f * static_cast<double>(j + 1) / static_cast<double>(width));
      if (basis == "sine") s(c, j) = static_cast<float>(wave);
      if (basis == "square") s(c, j) = wave < 0 ? -1.0f : 1.0f;
      if (basis == "random") s(c, j) = s(c, j) < 0 ? -1.0f : 1.0f;
    }
  }
  return s;
}

class LocalSynthesis : public HeadRule {
 public:
  LocalSynthesis(RuleInfo info, const RuleContext& context)
      : HeadRule(std::move(info), context),
        mixing_(context.params.text("mixing") == "none"    ? Mixing::none
                : context.params.text("mixing") == "scale" ? Mixing::scale
                                                           : Mixing::matrix),
        temperature_(static_cast<float>(context.params.real("temperature"))),
        smoothing_(static_cast<float>(context.params.real("smoothing"))),
        classes_(context.net.classes()),
        views_(head_views(context.net, context.params.integer("pool"))) {
    const Index hidden = context.net.hidden_layers();
    for (Index b = 0; b < hidden; ++b)
      patterns_.push_back(patterns(context.params.text("basis"), classes_, views_[static_cast<std::size_t>(b)].width(),
                                   context.seed, b));
    each_ = mixing_ == Mixing::none ? 0 : mixing_ == Mixing::scale ? classes_ : classes_ * classes_;
    mix_ = Matrix<float>(hidden, each_);
    mix_gradient_ = Matrix<float>(hidden, each_);
    for (Index b = 0; b < hidden; ++b)
      for (Index c = 0; c < classes_ && each_ > 0; ++c) mix_(b, mixing_ == Mixing::scale ? c : c * (classes_ + 1)) = 1;
  }

  Trainable own() override { return {mix_.flat(), mix_gradient_.flat()}; }

 protected:
  double teach(const Network&, Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) override {
    HeadView& view = views_[static_cast<std::size_t>(b)];
    const View<const float> seen = view.see(h);
    const double loss = classify(b, seen, batch.targets());
    back_through(error_, patterns_[static_cast<std::size_t>(b)], delta);
    through_normalisation(seen, delta);
    view.back(h, delta);
    return loss;
  }

 private:
  /// Fills error_ with the derivative of the local loss with respect to <h / |h|, s_c>, and the mixing's gradient.
  double classify(Index layer, View<const float> h, const Targets& targets) {
    const Index samples = h.rows();
    const float each = 1 / temperature_;
    products_.resize(samples, classes_);
    gemm(Transpose::no, Transpose::yes, each, h, patterns_[static_cast<std::size_t>(layer)], 0.0f, products_);
    norms_.resize(1, samples);
    for (Index r = 0; r < samples; ++r) {
      norms_(0, r) = static_cast<float>(1 / (std::sqrt(dot(h.row(r), h.row(r))) + 1e-12));
      for (float& v : products_.row(r)) v *= norms_(0, r);
    }
    const View<const float> mix = mixing_of(layer);
    logits_.resize(samples, classes_);
    if (mixing_ == Mixing::matrix)
      gemm(Transpose::no, Transpose::yes, 1.0f, products_, mix, 0.0f, logits_);
    else
      for (Index r = 0; r < samples; ++r)
        for (Index c = 0; c < classes_; ++c)
          logits_(r, c) = products_(r, c) * (mixing_ == Mixing::scale ? mix(0, c) : 1.0f);
    error_.resize(samples, classes_);
    const double loss = answer_error(Loss::cross_entropy, logits_, targets, error_);
    for (Index r = 0; r < samples; ++r) {
      const auto row = static_cast<std::size_t>(r);
      if (!targets.counts.empty() && targets.counts[row] == 0) continue;
      for (Index c = 0; c < classes_; ++c)
        error_(r, c) += smoothing_ * ((targets.labels[row] == c ? 1.0f : 0.0f) - 1 / static_cast<float>(classes_));
    }
    unmix(layer, mix, each, targets.counted());
    return loss;
  }
  void unmix(Index layer, View<const float> mix, float each, Index counted) {
    const Index samples = error_.rows();
    const float share = 1 / static_cast<float>(counted);
    if (mixing_ == Mixing::matrix) {
      gemm(Transpose::yes, Transpose::no, share, error_, products_, 0.0f,
           View<float>(mix_gradient_.row(layer).data(), classes_, classes_));
      unmixed_.resize(samples, classes_);
      gemm(Transpose::no, Transpose::no, each, error_, mix, 0.0f, unmixed_);
      error_.swap(unmixed_);
      return;
    }
    if (mixing_ == Mixing::scale) std::ranges::fill(mix_gradient_.row(layer), 0.0f);
    for (Index r = 0; r < samples; ++r)
      for (Index c = 0; c < classes_; ++c) {
        if (mixing_ == Mixing::scale) mix_gradient_(layer, c) += share * error_(r, c) * products_(r, c);
        error_(r, c) *= each * (mixing_ == Mixing::scale ? mix(0, c) : 1.0f);
      }
  }
  View<const float> mixing_of(Index layer) const {
    return {mix_.row(layer).data(), each_ == 0 ? 0 : each_ / classes_, each_ == 0 ? 0 : classes_};
  }
  /// From the signal at z = h / |h| to the one at h: (g - z <z, g>) / |h|.
  void through_normalisation(View<const float> h, Matrix<float>& delta) {
    for_rows(h.rows(), h.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto row = h.row(r);
        const auto g = delta.row(r);
        const float inverse = norms_(0, r);
        const auto along = static_cast<float>(dot(row, g)) * inverse * inverse;
        for (std::size_t j = 0; j < g.size(); ++j) g[j] = (g[j] - along * row[j]) * inverse;
      }
    });
  }

  Mixing mixing_;
  float temperature_, smoothing_;
  Index classes_, each_ = 0;
  std::vector<HeadView> views_;
  std::vector<Matrix<float>> patterns_;
  Matrix<float> mix_, mix_gradient_, logits_, products_, unmixed_, norms_;
};

}  // namespace

RuleModel lls_rule() {
  const RuleInfo info{
      .name = "lls",
      .summary =
          "LLS: each hidden block is classified by fixed periodic patterns, one per class, and learns from that "
          "alone; LLS-M and LLS-MxM with rule.mixing",
      .equation =
          "q = M <h_l / |h_l|, s_c> / temperature, s_c = sin(f_c t) or its sign; loss_l = cross-entropy of q; M = "
          "1, trained numbers (LLS-M) or a trained matrix (LLS-MxM); delta_L = e",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer, and C fixed masks (binary with the square basis)",
      .source = "Apolinario, Roy, Roy, WACV 2025, arXiv 2405.15868; range of f as in its published program",
      .params = {{"basis", "", std::string("square"), 0, 0, "patterns", {"sine", "square", "random"}},
                 {"mixing", "", std::string("none"), 0, 0, "M: LLS, LLS-M or LLS-MxM", {"none", "scale", "matrix"}},
                 {"temperature", "1", 1.0, 1e-6, 1e6, "of the local softmax (assumed)"},
                 {"smoothing", "1", 0.1, 0, 1,
                  "share of every target spread over all classes (assumed); the reported "
                  "local loss is without it"},
                 pool_param()},
      .masks = true,
      .tokens = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<LocalSynthesis>(info, context); }};
}

}  // namespace lightloop
