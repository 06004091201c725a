// Forward gradients of fully connected networks, and the record of the rule: the slope of the loss along a guessed
// direction, from one forward pass of tangents. A guess is noise, or what a local loss thinks the gradient is. Through
// physics no tangent passes: what the output does is then measured, by two passes of the layers above at activities
// moved forth and back along the guess.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/guessed_slopes.hpp"
#include "training/rules/head_view.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/own_layers.hpp"

namespace lightloop {
namespace {

class ForwardGradient : public GuessedSlopes {
 public:
  ForwardGradient(RuleInfo info, const RuleContext& context);
  Trainable own() override { return heads_.trainable(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  StepTouch declared(const Network& net, Index samples) const override;
  LayerTouch layer_touch(const Network& net, Index samples) const override;
  Index shown_to_layer(const Network& net, Index layer, Index samples) const override;

 protected:
  void local_signal(const Network& net, const RuleBatch& batch, Index layer, View<const float> h) override;
  void guess_from_scores(const Network& net, Index layer, View<const float> h, View<const float> scores) override;
  void slopes_of_loss(const Network& net, Index layer, View<const float> h) override;

 private:
  Matrix<float>& activity(Index l) { return h_[static_cast<std::size_t>(l) % h_.size()]; }
  View<const float> pass(const Network& net, Index l, View<const float> in);
  void finish_pass(const RuleBatch& batch, View<const float> logits);
  void perturb_weights(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void draw_direction(const RuleBatch& batch, Index k);
  void push_tangents(const Network& net, Index layer, View<const float> h);
  void measure_tangents(const Network& net, Index layer, View<const float> h);
  Matrix<float>& answer_moved(const Network& net, Index layer, View<const float> h, float sign);

  bool weights_;
  LayerProducts* products_;
  LayerInputs inputs_;  ///< of the pass that learns, layer by layer, then of the others
  float difference_;
  OwnLayers heads_;
  std::vector<Matrix<float>> h_;  ///< outputs of the layers; two that alternate if they are made again
  std::array<Matrix<float>, 2> climbing_;
  Matrix<float> tangent_, next_, part_, logits_, local_error_, direction_, steps_;
};

ForwardGradient::ForwardGradient(RuleInfo info, const RuleContext& context)
    : GuessedSlopes(std::move(info), context),
      weights_(context.params.text("space") == "weights"),
      products_(context.layers),
      inputs_(context.map, static_cast<std::size_t>(context.net.layers()) + 1),
      difference_(static_cast<float>(context.params.real("difference"))) {
  const Network& net = context.net;
  if (weights_ && has_heads())
    throw Unsupported(
        "rule.space = weights with guess " + context.params.text("guess") + ", target " + context.params.text("target"),
        "only noise is tried on weights, against the loss of the output",
        "a sample's gradient of a dense layer is delta h^T: guesses of it are guesses of delta",
        "use rule.space=activities");
  if (weights_ && context.map)
    throw Unsupported("rule.space = weights behind physics", "a slope over all weights that is measured is two losses",
                      "that is rule spsa, or pepg", "use rule.space=activities, or one of these");
  if (has_heads()) {
    for (Index l = 0; l < net.hidden_layers(); ++l)
      heads_.add(net.widths().back(), net.widths()[static_cast<std::size_t>(l) + 1]);
    heads_.initialise(context.seed);
  }
  const bool once = weights_ && directions_ == 1;  // tangents go with the only pass
  h_.resize(static_cast<std::size_t>(recomputes_ || once ? std::min<Index>(2, net.layers()) : net.layers()));
}

StepTouch ForwardGradient::declared(const Network& net, Index samples) const {
  if (!weights_) return GuessedSlopes::declared(net, samples);
  return {.passes = (directions_ + (recomputes_ ? directions_ : 1)) * net.layers() * samples};
}

LayerTouch ForwardGradient::layer_touch(const Network& net, Index samples) const {
  return weights_ ? Rule::layer_touch(net, samples) : GuessedSlopes::layer_touch(net, samples);
}

Index ForwardGradient::shown_to_layer(const Network& net, Index layer, Index samples) const {
  return weights_ ? layer_touch(net, samples).vectors : GuessedSlopes::shown_to_layer(net, layer, samples);
}

/// Output of layer l for `in`.
View<const float> ForwardGradient::pass(const Network& net, Index l, View<const float> in) {
  layer_forward(net, l, inputs_.see(l, in, static_cast<std::size_t>(l)), activity(l), products_);
  return activity(l);
}

void ForwardGradient::finish_pass(const RuleBatch& batch, View<const float> logits) {
  error_.resize(logits.rows(), logits.cols());
  loss_ = answer_error(batch.loss, logits, batch.targets(), error_);
}

void ForwardGradient::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows(), hidden = net.hidden_layers();
  begin(samples, static_cast<std::size_t>(heads_.layers()));
  touched_ = declared(net, samples);
  if (weights_) return perturb_weights(net, batch, gradient);
  signals_.begin(hidden, batch);
  View<const float> in = x;
  for (Index l = 0; l < hidden; ++l) in = pass(net, l, in);
  finish_pass(batch, pass(net, hidden, in));
  layer_gradient(net, hidden, error_, inputs_.seen(in, static_cast<std::size_t>(hidden)), samples, gradient);
  in = x;
  for (Index l = 0; l < hidden; ++l) {
    const View<const float> h = recomputes_ ? pass(net, l, in) : View<const float>(activity(l));
    const Matrix<float>& delta = signal(net, batch, l, h);
    signals_.keep(l, delta);
    layer_gradient(net, l, delta, inputs_.seen(in, static_cast<std::size_t>(l)), samples, gradient);
    in = h;
  }
}

/// Gradient of the layer's local loss with respect to its a_l, into local_; the head's own gradient too.
void ForwardGradient::local_signal(const Network& net, const RuleBatch& batch, Index layer, View<const float> h) {
  const Index samples = h.rows();
  dense(Activation::identity, heads_.weights(layer), heads_.bias(layer), h, logits_);
  local_error_.resize(samples, logits_.cols());
  layer_loss_[static_cast<std::size_t>(layer)] =
      answer_error(batch.loss, logits_, batch.targets(), local_error_) / static_cast<double>(samples);
  dense_gradient(local_error_, h, samples, heads_.weight_gradient(layer), heads_.bias_gradient(layer));
  back_through(local_error_, heads_.weights(layer), local_);
  times_derivative(net.activation(layer), h, local_);
}

void ForwardGradient::guess_from_scores(const Network& net, Index layer, View<const float> h,
                                        View<const float> scores) {
  back_through(scores, heads_.weights(layer), guess_rows_);
  times_derivative(net.activation(layer), h, guess_rows_);
}

void ForwardGradient::slopes_of_loss(const Network& net, Index layer, View<const float> h) {
  tangent_.resize(guess_rows_.rows(), guess_rows_.cols());
  std::ranges::copy(guess_rows_.flat(), tangent_.flat().begin());
  physical_ ? measure_tangents(net, layer, h) : push_tangents(net, layer, h);
  for (Index r = 0; r < tangent_.rows(); ++r) slopes_(0, r) = static_cast<float>(dot(error_.row(r), tangent_.row(r)));
}

/// tangent_ from the inputs of the units of `layer` to the output.
void ForwardGradient::push_tangents(const Network& net, Index layer, View<const float> h) {
  for (Index l = layer; l < net.hidden_layers(); ++l) {
    times_derivative(net.activation(l), h, tangent_);
    layer_product(net, l + 1, tangent_, next_, products_);
    tangent_.swap(next_);
    if (l + 1 == net.hidden_layers()) break;
    Matrix<float>& above = recomputes_ ? climbing_[static_cast<std::size_t>(l % 2)] : activity(l + 1);
    if (recomputes_) layer_forward(net, l + 1, h, above, products_);
    h = above;
  }
}

/// The same by a central difference. How h moves is known; what comes of it is measured at the output, for a step of
/// rms `difference_` over the units.
void ForwardGradient::measure_tangents(const Network& net, Index layer, View<const float> h) {
  times_derivative(net.activation(layer), h, tangent_);
  steps_.resize(1, h.rows());
  for (Index r = 0; r < h.rows(); ++r) {
    const auto row = std::as_const(tangent_).row(r);
    const double rms = std::sqrt(dot(row, row) / static_cast<double>(row.size()));
    steps_(0, r) = rms > 1e-12 ? difference_ / static_cast<float>(rms) : 0.0f;  // else no gradient that matters
  }
  part_.swap(answer_moved(net, layer, h, 1));
  const Matrix<float>& back = answer_moved(net, layer, h, -1);
  tangent_.resize(back.rows(), back.cols());
  for (Index r = 0; r < back.rows(); ++r) {
    const float scale = steps_(0, r) > 0 ? 0.5f / steps_(0, r) : 0.0f;  // a row that stands still has no slope
    for (Index j = 0; j < back.cols(); ++j) tangent_(r, j) = scale * (part_(r, j) - back(r, j));
  }
}

/// Output of the network where layer `layer` gives out h + sign * step * tangent_.
Matrix<float>& ForwardGradient::answer_moved(const Network& net, Index layer, View<const float> h, float sign) {
  next_.resize(h.rows(), h.cols());
  for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r)
      for (Index j = 0; j < h.cols(); ++j) next_(r, j) = h(r, j) + sign * steps_(0, r) * tangent_(r, j);
  });
  const auto others = static_cast<std::size_t>(net.layers());  // place of inputs that nothing learns from
  View<const float> in = next_;
  for (Index l = layer + 1; l < net.layers(); ++l) {
    Matrix<float>& above = climbing_[static_cast<std::size_t>(l % 2)];
    layer_forward(net, l, inputs_.see(l, in, others), above, products_);
    in = above;
  }
  return climbing_[static_cast<std::size_t>(net.hidden_layers() % 2)];
}

void ForwardGradient::draw_direction(const RuleBatch& batch, Index k) {
  const std::uint64_t row = batch.step * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k);
  float* const v = direction_.data();
  for_chunks(direction_.size(), kChunk, [&](Index first, Index n) {
    draw(0, row, static_cast<std::uint64_t>(first), {v + first, static_cast<std::size_t>(n)});
  });
}

/// One direction for all weights and the whole batch: a tangent pass gives the slope of the mean loss along it. The
/// activities that it meets are made beside it, or lie there from the first direction.
void ForwardGradient::perturb_weights(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows(), count = static_cast<Index>(gradient.size());
  direction_.resize(1, count);
  for (Index k = 0; k < directions_; ++k) {
    draw_direction(batch, k);
    const float* const v = direction_.data();
    View<const float> in = x;
    for (Index l = 0; l < net.layers(); ++l) {
      const View<const float> w = net.weights(l);
      const float* const begin = v + net.offset(l);
      dense(Activation::identity, {begin, w.rows(), w.cols()}, {begin + w.size(), static_cast<std::size_t>(w.rows())},
            in, next_);
      if (l > 0 && products_) {
        layer_product(net, l, tangent_, part_, products_);
        add_rows(part_, next_);
      } else if (l > 0) {
        gemm(Transpose::no, Transpose::yes, 1.0f, tangent_, w, 1.0f, next_);
      }
      in = k == 0 || recomputes_ ? pass(net, l, in) : View<const float>(activity(l));
      times_derivative(net.activation(l), in, next_);
      tangent_.swap(next_);
    }
    if (k == 0) finish_pass(batch, in);
    double slope = 0;
    for (Index r = 0; r < samples; ++r) slope += dot(error_.row(r), tangent_.row(r));
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
          "loss; the slope by forward-mode differentiation, behind physics by a central difference; delta_L = e. "
          "Weights: g = <grad L, v> v. In nets of any layers u lies on all that a hidden block gives out for a sample, "
          "and delta goes back inside that block",
      .needs = Needs::forward_only,
      .cost =
          "the forward pass, and k tangent passes of the layers (blocks) above each (weights: k of the net; behind "
          "physics: 2 k passes); local targets none",
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
                  "gradient that matters)"},
                 {"difference", "1", 0.1, 1e-6, 10,
                  "behind physics: rms by which the activities of a layer are moved forth and back along a guess "
                  "(assumed: some codes of a converter of 8 bits)"},
                 {"recompute", "", false, 0, 0,
                  "make activities again where tangents meet them: two layers' are held instead of all (of blocks, "
                  "four and the output); the same bits"},
                 pool_param()},
      .by_error = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_forward_gradient(info, context);
            return std::make_unique<ForwardGradient>(info, context);
          }};
}

}  // namespace lightloop
