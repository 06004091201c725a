// Forward gradients: the slope of the loss along a guessed direction, from one forward pass of tangents. A guess is
// noise, or what a local loss thinks the gradient is.
#include <algorithm>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

enum class Guess { gaussian, rademacher, local, ntk };

Guess guess_from(const std::string& name) {
  return name == "gaussian"     ? Guess::gaussian
         : name == "rademacher" ? Guess::rademacher
         : name == "local"      ? Guess::local
                                : Guess::ntk;
}

class ForwardGradient : public WholeBatch {
 public:
  ForwardGradient(RuleInfo info, const RuleContext& context);
  Trainable own() override { return heads_.trainable(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  View<const float> teaching_signal(Index layer) const override {
    return weights_ ? View<const float>{} : delta_[static_cast<std::size_t>(layer)].view();
  }
  StepTouch declared(const Network& net, Index samples) const override;

 private:
  bool noise() const { return guess_ == Guess::gaussian || guess_ == Guess::rademacher; }
  void perturb_weights(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void draw_rows(Index layer, const RuleBatch& batch, Index k, Matrix<float>& out);
  void local_signal(const Network& net, const RuleBatch& batch, Index layer);
  void make_guess(const Network& net, const RuleBatch& batch, Index layer, Index k);
  void slopes_of_loss(const Network& net, const RuleBatch& batch, Index layer);
  void step_along(Index layer);

  bool weights_, local_target_;
  Guess guess_;
  Index directions_;
  float epsilon_;
  std::vector<Stream> streams_;
  OwnLayers heads_;
  std::vector<Matrix<float>> delta_;
  Matrix<float> guess_rows_, local_, tangent_, next_, logits_, error_, direction_, slopes_;
};

ForwardGradient::ForwardGradient(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      weights_(context.params.text("space") == "weights"),
      local_target_(context.params.text("target") == "local"),
      guess_(guess_from(context.params.text("guess"))),
      directions_(context.params.integer("directions")),
      epsilon_(static_cast<float>(context.params.real("epsilon"))) {
  const Network& net = context.net;
  if (weights_ && (!noise() || local_target_))
    throw Unsupported(
        "rule.space = weights with guess " + context.params.text("guess") + ", target " + context.params.text("target"),
        "only noise is tried on weights, against the loss of the output",
        "a sample's gradient of a dense layer is delta h^T: guesses of it are guesses of delta",
        "use rule.space=activities");
  if (guess_ == Guess::local && directions_ > 1)
    throw InvalidParameter("rule.directions", std::to_string(directions_), "1 for rule.guess = local",
                           "there is one local gradient");
  if (!noise() || local_target_) {
    for (Index l = 0; l < net.hidden_layers(); ++l)
      heads_.add(net.widths().back(), net.widths()[static_cast<std::size_t>(l) + 1]);
    heads_.initialise(context.seed);
  }
  for (Index l = 0; l < net.layers(); ++l) streams_.emplace_back(context.seed, l, kRulePerturbation);
  delta_.resize(static_cast<std::size_t>(net.hidden_layers()));
}

StepTouch ForwardGradient::declared(const Network& net, Index samples) const {
  if (weights_) return {.passes = directions_ * net.layers() * samples};
  if (local_target_) return {};
  const Index above = net.hidden_layers() * (net.hidden_layers() + 1) / 2;  // layer l's tangents pass L - l layers
  return {.passes = directions_ * above * samples};
}

void ForwardGradient::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.error.rows(), hidden = net.hidden_layers();
  begin(samples, static_cast<std::size_t>(heads_.layers()));
  touched_ = declared(net, samples);
  if (weights_) return perturb_weights(net, batch, gradient);
  layer_gradient(net, hidden, batch.error, batch.activations.h[static_cast<std::size_t>(hidden)], samples, gradient);
  for (Index l = 0; l < hidden; ++l) {
    Matrix<float>& delta = delta_[static_cast<std::size_t>(l)];
    delta.resize(samples, net.weights(l).rows());
    std::ranges::fill(delta.flat(), 0.0f);
    if (heads_.layers() > 0) local_signal(net, batch, l);
    for (Index k = 0; k < directions_; ++k) {
      make_guess(net, batch, l, k);
      slopes_.resize(1, samples);
      if (local_target_)
        for (Index r = 0; r < samples; ++r) slopes_(0, r) = static_cast<float>(dot(local_.row(r), guess_rows_.row(r)));
      else
        slopes_of_loss(net, batch, l);
      step_along(l);
    }
    layer_gradient(net, l, delta, batch.activations.h[static_cast<std::size_t>(l)], samples, gradient);
  }
}

/// Gradient of the layer's local loss with respect to its a_l, into local_; the head's own gradient too.
void ForwardGradient::local_signal(const Network& net, const RuleBatch& batch, Index layer) {
  const Matrix<float>& h = batch.activations.h[static_cast<std::size_t>(layer) + 1];
  const Index samples = h.rows();
  dense(Activation::identity, heads_.weights(layer), heads_.bias(layer), h, logits_);
  error_.resize(samples, logits_.cols());
  layer_loss_[static_cast<std::size_t>(layer)] =
      output_error(batch.loss, logits_, batch.labels, error_) / static_cast<double>(samples);
  dense_gradient(error_, h, samples, heads_.weight_gradient(layer), heads_.bias_gradient(layer));
  back_through(error_, heads_.weights(layer), local_);
  times_derivative(net.activation(layer), h, local_);
}

void ForwardGradient::draw_rows(Index layer, const RuleBatch& batch, Index k, Matrix<float>& out) {
  for_rows(out.rows(), out.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r) {
      const std::uint64_t sample = batch.first_sample + static_cast<std::uint64_t>(r);
      const auto row = out.row(r);
      streams_[static_cast<std::size_t>(layer)].normal(
          sample * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k), 0, row);
      if (guess_ == Guess::rademacher)
        for (float& v : row) v = v > 0 ? 1.0f : -1.0f;
    }
  });
}

void ForwardGradient::make_guess(const Network& net, const RuleBatch& batch, Index layer, Index k) {
  const Matrix<float>& h = batch.activations.h[static_cast<std::size_t>(layer) + 1];
  guess_rows_.resize(h.rows(), h.cols());
  if (noise()) return draw_rows(layer, batch, k, guess_rows_);
  if (guess_ == Guess::local) {
    std::ranges::copy(local_.flat(), guess_rows_.flat().begin());
    return;
  }
  logits_.resize(h.rows(), net.widths().back());
  draw_rows(layer, batch, k, logits_);
  back_through(logits_, heads_.weights(layer), guess_rows_);
  times_derivative(net.activation(layer), h, guess_rows_);
}

/// Slope of every sample's loss when a_l moves along its guess.
void ForwardGradient::slopes_of_loss(const Network& net, const RuleBatch& batch, Index layer) {
  tangent_.resize(guess_rows_.rows(), guess_rows_.cols());
  std::ranges::copy(guess_rows_.flat(), tangent_.flat().begin());
  for (Index l = layer; l < net.hidden_layers(); ++l) {
    times_derivative(net.activation(l), batch.activations.h[static_cast<std::size_t>(l) + 1], tangent_);
    next_.resize(tangent_.rows(), net.weights(l + 1).rows());
    gemm(Transpose::no, Transpose::yes, 1.0f, tangent_, net.weights(l + 1), 0.0f, next_);
    tangent_.swap(next_);
  }
  for (Index r = 0; r < tangent_.rows(); ++r)
    slopes_(0, r) = static_cast<float>(dot(batch.error.row(r), tangent_.row(r)));
}

/// delta += slope * guess: as it is for noise, whose squares average to 1, else over the square of the guess.
void ForwardGradient::step_along(Index layer) {
  Matrix<float>& delta = delta_[static_cast<std::size_t>(layer)];
  for_rows(delta.rows(), delta.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r) {
      const auto guess = std::as_const(guess_rows_).row(r);
      const float square = noise() ? 1.0f : static_cast<float>(dot(guess, guess)) + epsilon_;
      const float factor = slopes_(0, r) / (square * static_cast<float>(directions_));
      float* const d = delta.row(r).data();
      for (std::size_t j = 0; j < guess.size(); ++j) d[j] += factor * guess[j];
    }
  });
}

/// One direction for all weights and the whole batch: a tangent pass gives the slope of the mean loss along it.
void ForwardGradient::perturb_weights(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.error.rows(), count = static_cast<Index>(gradient.size());
  direction_.resize(1, count);
  for (Index k = 0; k < directions_; ++k) {
    const std::uint64_t row = batch.step * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k);
    float* const v = direction_.data();
    for_chunks(count, kChunk, [&](Index first, Index n) {
      streams_[0].normal(row, static_cast<std::uint64_t>(first), {v + first, static_cast<std::size_t>(n)});
      if (guess_ == Guess::rademacher)
        for (Index i = first; i < first + n; ++i) v[i] = v[i] > 0 ? 1.0f : -1.0f;
    });
    for (Index l = 0; l < net.layers(); ++l) {
      const View<const float> w = net.weights(l);
      const float* const begin = v + net.offset(l);
      dense(Activation::identity, {begin, w.rows(), w.cols()}, {begin + w.size(), static_cast<std::size_t>(w.rows())},
            batch.activations.h[static_cast<std::size_t>(l)], next_);
      if (l > 0) gemm(Transpose::no, Transpose::yes, 1.0f, tangent_, w, 1.0f, next_);
      times_derivative(net.activation(l), batch.activations.h[static_cast<std::size_t>(l) + 1], next_);
      tangent_.swap(next_);
    }
    double slope = 0;
    for (Index r = 0; r < samples; ++r) slope += dot(batch.error.row(r), tangent_.row(r));
    const auto factor = static_cast<float>(slope / static_cast<double>(samples * directions_));
    float* const g = gradient.data();
    for_chunks(count, kChunk, [&](Index first, Index n) {
      for (Index i = first; i < first + n; ++i) g[i] = (k == 0 ? 0 : g[i]) + factor * v[i];
    });
  }
}

}  // namespace

RuleModel forward_gradient_rule() {
  const RuleInfo info{
      .name = "forward_gradient",
      .summary = "the slope of the loss along a guessed direction, times that direction: noise, or a local gradient",
      .equation =
          "delta_l = <dL/da_l, u> u for noise u; <dL/da_l, u> u / (|u|^2 + epsilon) for the gradient u of a local "
          "loss; the slope by forward-mode differentiation; delta_L = e. Weights: g = <grad L, v> v",
      .needs = Needs::forward_only,
      .cost = "k tangent passes of the layers above each layer (weights: k of the net); local targets none",
      .source =
          "Baydin et al., arXiv 2202.08587; Ren et al., arXiv 2210.03310; Fournier et al., ICML 2023, arXiv "
          "2306.06968, equation 3",
      .params = {{"space", "", std::string("activities"), 0, 0, "what is moved", {"activities", "weights"}},
                 {"guess",
                  "",
                  std::string("local"),
                  0,
                  0,
                  "direction: noise of either law, the gradient of a local head, or a random vector sent back through "
                  "that head (the span of its neural tangent kernel)",
                  {"gaussian", "rademacher", "local", "ntk"}},
                 {"target",
                  "",
                  std::string("global"),
                  0,
                  0,
                  "loss whose slope is taken: that of the output, or of a local head",
                  {"global", "local"}},
                 {"directions", "1", std::int64_t{1}, 1, 1e6, "k, guesses averaged"},
                 {"epsilon", "1", 1e-12, 0, 1,
                  "added to the square of a guess that is not noise (assumed: below any "
                  "gradient that matters)"}}};
  return {info, [info](const RuleContext& context) { return std::make_unique<ForwardGradient>(info, context); }};
}

}  // namespace lightloop
