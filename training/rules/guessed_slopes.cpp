#include "training/rules/guessed_slopes.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {

GuessedSlopes::GuessedSlopes(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      local_target_(context.params.text("target") == "local"),
      physical_(static_cast<bool>(context.map)),
      recomputes_(recomputes("forward_gradient", context)),
      directions_(context.params.integer("directions")),
      epsilon_(static_cast<float>(context.params.real("epsilon"))) {
  const std::string& guess = context.params.text("guess");
  guess_ = guess == "gaussian"     ? Guess::gaussian
           : guess == "rademacher" ? Guess::rademacher
           : guess == "local"      ? Guess::local
                                   : Guess::ntk;
  if (!context.params.is_default("difference") && (!context.map || local_target_))
    throw InvalidParameter("rule.difference", to_string(context.params.value("difference")),
                           context.map ? "rule.target = local takes no slope through the layers above"
                                       : "without physics (train.map) slopes are those of tangents",
                           "Leave it out.");
  if (guess_ == Guess::local && directions_ > 1)
    throw InvalidParameter("rule.directions", std::to_string(directions_), "1 for rule.guess = local",
                           "there is one local gradient");
  for (Index l = 0; l < context.net.layers(); ++l) streams_.emplace_back(context.seed, l, kRulePerturbation);
}

StepTouch GuessedSlopes::declared(const Network& net, Index samples) const {
  const Index layers = net.layers(), hidden = net.hidden_layers();
  // layer l's tangents pass L - l layers, and meet the activities of one layer less
  const Index tangents = climbs() * hidden * (hidden + 1) / 2;
  const Index again = recomputes_ ? hidden + climbs() * hidden * (hidden - 1) / 2 : 0;
  return {.passes = (layers + tangents + again) * samples};
}

/// The output meets the tangents of all layers below.
LayerTouch GuessedSlopes::layer_touch(const Network& net, Index samples) const {
  const Index hidden = net.hidden_layers();
  if (hidden == 0) return Rule::layer_touch(net, samples);
  return {.vectors = shown_to_layer(net, hidden, samples)};
}

Index GuessedSlopes::shown_to_layer(const Network&, Index layer, Index samples) const {
  const Index all = 1 + climbs() * layer;
  return (recomputes_ ? 2 * all : all) * samples;
}

void GuessedSlopes::draw(Index layer, std::uint64_t row, std::uint64_t first, std::span<float> v) const {
  streams_[static_cast<std::size_t>(layer)].normal(row, first, v);
  if (guess_ == Guess::rademacher)
    for (float& one : v) one = one > 0 ? 1.0f : -1.0f;
}

Matrix<float>& GuessedSlopes::signal(const Network& net, const RuleBatch& batch, Index layer, View<const float> h) {
  delta_.resize(h.rows(), h.cols());
  std::ranges::fill(delta_.flat(), 0.0f);
  if (has_heads()) local_signal(net, batch, layer, h);
  slopes_.resize(1, h.rows());
  for (Index k = 0; k < directions_; ++k) {
    make_guess(net, batch, layer, k, h);
    if (local_target_)
      for (Index r = 0; r < h.rows(); ++r)
        slopes_(0, r) = static_cast<float>(dot(local_.view().row(r), guess_rows_.view().row(r)));
    else
      slopes_of_loss(net, layer, h);
    step_along(delta_);
  }
  return delta_;
}

void GuessedSlopes::draw_rows(Index layer, const RuleBatch& batch, Index k, Matrix<float>& out) const {
  for_rows(out.rows(), out.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r) {
      const std::uint64_t sample = batch.first_sample + static_cast<std::uint64_t>(r);
      draw(layer, sample * static_cast<std::uint64_t>(directions_) + static_cast<std::uint64_t>(k), 0, out.row(r));
    }
  });
}

void GuessedSlopes::make_guess(const Network& net, const RuleBatch& batch, Index layer, Index k, View<const float> h) {
  guess_rows_.resize(h.rows(), h.cols());
  if (noise()) return draw_rows(layer, batch, k, guess_rows_);
  if (guess_ == Guess::local) {
    std::ranges::copy(local_.flat(), guess_rows_.flat().begin());
    return;
  }
  scores_.resize(h.rows(), net.widths().back());
  draw_rows(layer, batch, k, scores_);
  guess_from_scores(net, layer, h, scores_);
}

/// delta += slope * guess: as it is for noise, whose squares average to 1, else over the square of the guess.
void GuessedSlopes::step_along(Matrix<float>& delta) const {
  for_rows(delta.rows(), delta.cols(), [&](Index first, Index n) {
    for (Index r = first; r < first + n; ++r) {
      const auto guess = guess_rows_.row(r);
      const float square = noise() ? 1.0f : static_cast<float>(dot(guess, guess)) + epsilon_;
      const float factor = slopes_(0, r) / (square * static_cast<float>(directions_));
      float* const d = delta.row(r).data();
      for (std::size_t j = 0; j < guess.size(); ++j) d[j] += factor * guess[j];
    }
  });
}

}  // namespace lightloop
