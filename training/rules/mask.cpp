// Mask read-out: hidden layers stay as they were drawn, and the output is a mask of mirrors that is learned by trial.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/mask_changes.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Own parameters: the mask (classes, width), whose gradient is 0 so that no optimizer moves it; the gain; an offset
/// per class.
class MaskReadout : public WholeBatch {
 public:
  MaskReadout(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        trials_(context.params.integer("trials")),
        flips_(context.params.integer("flips")),
        anneal_(context.params.integer("anneal")),
        runner_(context.seed, 2, context.layers, context.map),
        width_(context.net.widths()[static_cast<std::size_t>(context.net.hidden_layers())]),
        classes_(context.net.widths().back()),
        changes_(width_ * classes_, context.params.text("values") == "ternary", context.params.real("bias"),
                 context.seed),
        values_(1, width_ * classes_ + 1 + classes_),
        gradient_(1, values_.size()) {
    if (2 * flips_ > std::max<Index>(2, width_ * classes_))
      throw OutOfRange("rule.flips", std::to_string(flips_),
                       "1 to half of the " + std::to_string(width_ * classes_) + " values");
    const std::vector<std::int8_t> start = changes_.start();
    std::ranges::copy(start, values_.flat().begin());
    gain() = 1;
  }

  Trainable own() override { return {values_.flat(), gradient_.flat()}; }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    begin(x.rows(), 1);
    std::ranges::fill(gradient, 0.0f);
    const View<const float> h = features(net, x, batch.first_sample);
    mask_.resize(static_cast<std::size_t>(width_ * classes_));
    for (std::size_t i = 0; i < mask_.size(); ++i) mask_[i] = static_cast<std::int8_t>(values_.flat()[i]);
    see(h, seen_);
    double kept = mean_loss(seen_, batch);
    const double left = 1 - static_cast<double>(batch.step) / static_cast<double>(anneal_);
    const Index flips = std::max<Index>(1, std::lround(static_cast<double>(flips_) * left));
    for (Index t = 0; t < trials_; ++t) {
      const std::uint64_t trial = batch.step * static_cast<std::uint64_t>(trials_) + static_cast<std::uint64_t>(t);
      const auto changed = changes_.change(mask_, trial, flips);
      move(h, changed, 1);
      const double found = mean_loss(seen_, batch);
      if (found < kept) {
        kept = found;
        for (const auto& c : changed) values_.flat()[c.place] = static_cast<float>(mask_[c.place]);
      } else {
        move(h, changed, -1);
        changes_.take_back(mask_);
      }
    }
    learn_scale(batch);
    layer_loss_[0] = kept;
    loss_ = kept * static_cast<double>(x.rows());
    touched_ = declared(net, x.rows());
    state_.resize(1, static_cast<Index>(net.state().size()));
    std::ranges::copy(net.state(), state_.flat().begin());
  }
  std::span<const float> learned_state() const override { return state_.flat(); }

  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override {
    see(features(net, x, first_sample), seen_);
    logits(seen_, out);
  }

  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (net.layers() + trials_) * samples, .writes = trials_};
  }

  /// The mask is not on the devices of the layers; all trials are made on one answer of them.
  LayerTouch layer_touch(const Network&, Index samples) const override { return {.vectors = samples}; }

  /// With the mask, which changes here and not in the optimizer.
  std::vector<std::byte> snapshot() const override {
    ByteWriter bytes;
    bytes.put_all(changes_.waiting());
    bytes.put_all(std::as_const(values_).flat().first(changes_.waiting().size()));
    return bytes.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader bytes(state, "snapshot of rule mask");
    std::vector<double> waiting(changes_.waiting().size());
    std::vector<float> mask(waiting.size());
    bytes.get_all(std::span(waiting));
    bytes.get_all(std::span(mask));
    bytes.done();
    std::ranges::copy(waiting, changes_.waiting().begin());
    std::ranges::copy(mask, values_.flat().begin());
  }

 private:
  float& gain() { return values_.flat()[static_cast<std::size_t>(width_ * classes_)]; }
  std::span<float> offsets(Matrix<float>& all) { return all.flat().last(static_cast<std::size_t>(classes_)); }

  View<const float> features(const Network& net, View<const float> x, std::uint64_t first_sample) {
    runner_.begin_answer(first_sample);
    View<const float> in = x;
    for (Index b = 0; b < net.hidden_layers(); ++b) in = runner_.forward(net, b, in, static_cast<std::size_t>(b % 2));
    return runner_.see(net.hidden_layers(), in, static_cast<std::size_t>(net.hidden_layers() % 2));
  }

  /// What the detectors behind the mask see: h M^T / sqrt(width), by sums over what lets through.
  void see(View<const float> h, Matrix<float>& out) {
    out.resize(h.rows(), classes_);
    gemm(Transpose::no, Transpose::yes, scale(), h, {values_.data(), classes_, width_}, 0.0f, out);
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(width_)); }

  /// What that becomes with the values of `changed` as they are now (sign 1), or as they were (-1).
  void move(View<const float> h, std::span<const MaskChanges::Change> changed, int sign) {
    for (const auto& c : changed) {
      const auto place = static_cast<Index>(c.place);
      const Index row = place / width_, column = place % width_;
      const float by = scale() * static_cast<float>(sign * (mask_[c.place] - c.before));
      for (Index r = 0; r < h.rows(); ++r) seen_(r, row) += by * h(r, column);
    }
  }

  void logits(const Matrix<float>& seen, View<float> out) {
    const std::span<const float> offset = offsets(values_);
    for (Index r = 0; r < out.rows(); ++r)
      for (Index c = 0; c < classes_; ++c) out(r, c) = gain() * seen(r, c) + offset[static_cast<std::size_t>(c)];
  }
  double mean_loss(const Matrix<float>& seen, const RuleBatch& batch) {
    logits_.resize(seen.rows(), classes_);
    error_.resize(seen.rows(), classes_);
    logits(seen, logits_);
    return output_error(batch.loss, logits_, batch.labels, error_) / static_cast<double>(seen.rows());
  }

  /// Mean gradient of gain and offsets, which are digital.
  void learn_scale(const RuleBatch& batch) {
    mean_loss(seen_, batch);  // error_ as the mask is now
    std::ranges::fill(gradient_.flat(), 0.0f);
    double along = 0;
    const std::span<float> to = offsets(gradient_);
    for (Index r = 0; r < error_.rows(); ++r) {
      along += dot(std::as_const(error_).row(r), std::as_const(seen_).row(r));
      for (Index c = 0; c < classes_; ++c) to[static_cast<std::size_t>(c)] += error_(r, c);
    }
    const auto samples = static_cast<float>(error_.rows());
    for (float& v : to) v /= samples;
    gradient_.flat()[static_cast<std::size_t>(width_ * classes_)] = static_cast<float>(along) / samples;
  }

  Index trials_, flips_, anneal_;
  BlockRunner runner_;
  Index width_, classes_;
  MaskChanges changes_;
  Matrix<float> values_, gradient_;
  std::vector<std::int8_t> mask_;  ///< that of values_, and what is being tried
  Matrix<float> seen_, logits_, error_, state_;
};

}  // namespace

RuleModel mask_rule() {
  const RuleInfo info{
      .name = "mask",
      .summary =
          "mask read-out: hidden layers stay random, the output is a mask of mirrors whose values are changed by "
          "trial",
      .equation =
          "a_L = g M h / sqrt(d) + b, M of -1, 0, 1 (or 0, 1); some values of M become others, and stay so where the "
          "loss of the batch fell; g and b, which are digital, by gradient",
      .needs = Needs::forward_only,
      .cost = "one forward pass, and per trial one write of the mask and one pass of the read-out",
      .source =
          "Bueno et al., Optica 5, 756 (2018); ternary values and falling numbers of changes: arXiv 2409.01042; on "
          "batches and for classes: our own",
      .params = {{"values", "", std::string("ternary"), 0, 0, "of the mask: 0, 1 or -1, 0, 1", {"boolean", "ternary"}},
                 {"trials", "1", std::int64_t{32}, 1, 1e6,
                  "changes tried on every batch (assumed); a small batch keeps changes that suit it alone: give "
                  "--batch 1000"},
                 {"flips", "1", std::int64_t{1}, 1, 1e6, "values changed at once at the start; 1 is greedy"},
                 {"anneal", "1", std::int64_t{1000}, 1, 1e12,
                  "steps in which their number falls in a straight line to 1 (assumed)"},
                 {"bias", "1", 1.0, 0, 16,
                  "memory: how strongly values that were not tried for long are preferred; 0: all alike"}},
      .own_forward = true,
      .own_answer = true,
      .keeps_net = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<MaskReadout>(info, context); }};
}

}  // namespace lightloop
