// Ridge read-out: hidden layers stay as they were drawn, and the output is solved for, not trained step by step.
#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/linalg.hpp"
#include "training/cholesky.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Running sums over all samples shown so far; the read-out is solved for when an answer is asked, or before it is
/// stored. It belongs to the rule, with gradient 0, so that no optimizer moves it. The loss of a batch is that of the
/// read-out that answered last, so that storing it between two answers changes no curve.
class Ridge : public WholeBatch {
 public:
  Ridge(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        ridge_(context.params.real("ridge")),
        runner_(context.seed, 2, context.layers, context.map),
        width_(context.net.widths()[static_cast<std::size_t>(context.net.hidden_layers())]),
        classes_(context.net.widths().back()),
        sums_(width_ + classes_ + 1, width_ + 1),
        shift_(static_cast<std::size_t>(width_ + classes_)),
        answered_(1, classes_ * (width_ + 1)) {
    readout_.add(classes_, width_);
    std::ranges::fill(readout_.trainable().values, 0.0f);
    std::ranges::fill(answered_.flat(), 0.0f);
    std::ranges::fill(readout_.gradient(), 0.0f);
    std::ranges::fill(sums_.flat(), 0.0);
  }

  Trainable own() override { return readout_.trainable(); }
  void settle() override {
    if (stale_) solve();
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    begin(x.rows(), 1);
    std::ranges::fill(gradient, 0.0f);
    const View<const float> h = features(net, x, batch.first_sample);
    add(h, batch.targets());
    const View<const float> w(answered_.data(), classes_, width_);
    const std::span<const float> bias = answered_.flat().last(static_cast<std::size_t>(classes_));
    dense(Activation::identity, w, bias, h, logits_);
    error_.resize(x.rows(), classes_);
    loss_ = answer_error(batch.loss, logits_, batch.targets(), error_);
    layer_loss_[0] = loss_ / static_cast<double>(x.rows());
    touched_ = declared(net, x.rows());
    state_.resize(1, static_cast<Index>(net.state().size()));
    std::ranges::copy(net.state(), state_.flat().begin());
  }
  std::span<const float> learned_state() const override { return state_.flat(); }

  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override {
    settle();
    std::ranges::copy(readout_.trainable().values, answered_.flat().begin());
    const View<const float> h = features(net, x, first_sample);
    dense(Activation::identity, readout_.weights(0), readout_.bias(0), h, logits_);
    for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(std::as_const(logits_).row(r), out.row(r).begin());
  }

  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }

  std::vector<std::byte> snapshot() const override {
    const std::size_t sums = sums_.flat().size_bytes(), shift = std::span(shift_).size_bytes();
    std::vector<std::byte> state(sums + shift + answered_.flat().size_bytes());
    std::memcpy(state.data(), sums_.data(), sums);
    std::memcpy(state.data() + sums, shift_.data(), shift);
    std::memcpy(state.data() + sums + shift, answered_.data(), state.size() - sums - shift);
    return state;
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader bytes(state, "snapshot of rule ridge");
    bytes.get_all(sums_.flat());
    bytes.get_all(std::span(shift_));
    bytes.get_all(answered_.flat());
    bytes.done();
    stale_ = sums_(width_ + classes_, width_) > 0;
  }

 private:
  View<const float> features(const Network& net, View<const float> x, std::uint64_t first_sample) {
    runner_.begin_answer(first_sample);
    View<const float> in = x;
    for (Index b = 0; b < net.hidden_layers(); ++b) in = runner_.forward(net, b, in, static_cast<std::size_t>(b % 2));
    return runner_.see(net.hidden_layers(), in, static_cast<std::size_t>(net.hidden_layers() % 2));
  }

  /// In double precision: what stands still is at 0 when its mean is taken off.
  static void exact_means(View<const float> x, std::span<float> means) {
    for (std::size_t i = 0; i < means.size(); ++i) {
      double sum = 0;
      for (Index r = 0; r < x.rows(); ++r) sum += static_cast<double>(x(r, static_cast<Index>(i)));
      means[i] = static_cast<float>(sum / static_cast<double>(x.rows()));
    }
  }

  /// Rows of sums_: h^T h, then y^T h, then the sum of h; their last column: sums of h, of y, and the number of rows. h
  /// and real y are counted from their means in the first batch (shift_): float32 products of large means would leave
  /// nothing of what varies about them.
  void add(View<const float> h, const Targets& targets) {
    const Index rows = h.rows();
    if (sums_(width_ + classes_, width_) == 0) {
      const std::span<float> shift(shift_);
      exact_means(h, shift.first(static_cast<std::size_t>(width_)));
      if (!targets.values.empty()) exact_means(targets.values, shift.last(static_cast<std::size_t>(classes_)));
    }
    const auto shifted = [&](std::span<const float> values, std::span<float> to, Index first) {
      for (std::size_t i = 0; i < values.size(); ++i) to[i] = values[i] - shift_[static_cast<std::size_t>(first) + i];
    };
    extended_.resize(rows, width_ + classes_ + 1);
    seen_.resize(rows, width_ + 1);
    for (Index r = 0; r < rows; ++r) {
      std::ranges::fill(extended_.row(r), 0.0f);
      shifted(h.row(r), extended_.row(r), 0);
      shifted(h.row(r), seen_.row(r), 0);
      if (targets.values.empty())
        extended_(r, width_ + targets.labels[static_cast<std::size_t>(r)]) = 1;
      else
        shifted(targets.values.row(r), extended_.row(r).subspan(static_cast<std::size_t>(width_)), width_);
      extended_(r, width_ + classes_) = seen_(r, width_) = 1;
    }
    products_.resize(extended_.cols(), seen_.cols());
    gemm(Transpose::yes, Transpose::no, 1.0f, extended_, seen_, 0.0f, products_);
    for (Index i = 0; i < sums_.size(); ++i) sums_.data()[i] += static_cast<double>(products_.data()[i]);
    stale_ = true;
  }

  /// (cov(h) + ridge mean variance) W^T = cov(h, y); b = mean(y) - W mean(h), with the W that is stored.
  void solve() {
    const double n = sums_(width_ + classes_, width_);
    const auto mean = [&](Index row) { return sums_(row, width_) / n; };
    const auto whole_mean = [&](Index row) {
      return static_cast<double>(shift_[static_cast<std::size_t>(row)]) + mean(row);
    };
    Matrix<double> covariance(width_, width_), cross(classes_, width_);
    double trace = 0;
    for (Index i = 0; i < width_; ++i) {
      for (Index j = 0; j < width_; ++j) covariance(i, j) = sums_(i, j) / n - mean(i) * mean(j);
      for (Index c = 0; c < classes_; ++c) cross(c, i) = sums_(width_ + c, i) / n - mean(width_ + c) * mean(i);
      trace += covariance(i, i);
    }
    Matrix<double> w = std::move(cross);
    if (trace > 0)  // otherwise every feature stands still, and cross is 0 already
      w = solve_positive(covariance, ridge_ * trace / static_cast<double>(width_), w, "rule.ridge");
    for (Index c = 0; c < classes_; ++c) {
      double offset = whole_mean(width_ + c);
      for (Index i = 0; i < width_; ++i) {
        const float stored = readout_.weights(0)(c, i) = static_cast<float>(w(c, i));
        offset -= static_cast<double>(stored) * whole_mean(i);
      }
      readout_.bias(0)[static_cast<std::size_t>(c)] = static_cast<float>(offset);
    }
    stale_ = false;
  }

  double ridge_;
  BlockRunner runner_;
  Index width_, classes_;
  OwnLayers readout_;
  Matrix<double> sums_;
  std::vector<float> shift_;  // of h, of y
  Matrix<float> answered_;    // W, b
  bool stale_ = false;
  Matrix<float> extended_, seen_, products_, logits_, error_, state_;
};

}  // namespace

RuleModel ridge_rule() {
  const RuleInfo info{
      .name = "ridge",
      .summary = "ridge read-out: hidden layers stay random, the output is ridge regression of the one-hot labels",
      .equation = "W = (cov(h) + ridge v)^-1 cov(h, y), v the mean variance of a feature; b = mean(y) - W mean(h)",
      .needs = Needs::forward_only,
      .cost = "one forward pass per sample; one epoch is enough",
      .source = "Hoerl, Kennard, Technometrics 12, 55 (1970); random features: Saade et al., arXiv 1510.06664",
      .params = {{"ridge", "1", 1e-3, 1e-12, 1e6,
                  "penalty on the square of W, in units of the mean variance of a feature (assumed)"}},
      .real_targets = true,
      .own_forward = true,
      .own_answer = true,
      .keeps_net = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<Ridge>(info, context); }};
}

}  // namespace lightloop
