#pragma once
// Forward gradients: the slope of a loss along a guessed direction, times that direction, whatever a layer is.
#include <memory>

#include "core/random.hpp"
#include "training/rules/kept_signals.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// What fully connected layers and blocks of any layers have in common: guesses, steps along them, and what the slopes
/// show to layers. A guess lies on a layer's units: before the non-linearity of a fully connected layer, on what a
/// block gives out.
///
/// Randomness: Stream(seed, layer, kRulePerturbation), row = number of the sample * directions + direction.
class GuessedSlopes : public WholeBatch {
 public:
  /// Throws InvalidParameter for several directions of one local gradient, and for rule.difference where nothing is
  /// measured.
  GuessedSlopes(RuleInfo info, const RuleContext& context);
  View<const float> teaching_signal(Index layer) const override { return signals_.of(layer); }
  StepTouch declared(const Network& net, Index samples) const override;
  LayerTouch layer_touch(const Network& net, Index samples) const override;
  Index shown_to_layer(const Network& net, Index layer, Index samples) const override;

 protected:
  enum class Guess { gaussian, rademacher, local, ntk };
  bool noise() const { return guess_ == Guess::gaussian || guess_ == Guess::rademacher; }
  bool has_heads() const { return !noise() || local_target_; }
  /// Columns `first` and on of row `row` of a layer's noise.
  void draw(Index layer, std::uint64_t row, std::uint64_t first, std::span<float> v) const;
  /// Signal delta of layer `layer`, which gives out h; the caller may change it.
  Matrix<float>& signal(const Network& net, const RuleBatch& batch, Index layer, View<const float> h);
  /// local_ = gradient of the layer's local loss; its head gets its own gradient.
  virtual void local_signal(const Network& net, const RuleBatch& batch, Index layer, View<const float> h) = 0;
  /// guess_rows_ = what `scores` (m, d_L) of the layer's head send back.
  virtual void guess_from_scores(const Network& net, Index layer, View<const float> h, View<const float> scores) = 0;
  /// slopes_ of every sample's loss at the output when the units of `layer` move along guess_rows_.
  virtual void slopes_of_loss(const Network& net, Index layer, View<const float> h) = 0;

  bool local_target_, physical_, recomputes_;
  Index directions_;
  Matrix<float> error_, guess_rows_, local_, slopes_;
  KeptSignals signals_;  ///< filled by those who learn from signal()

 private:
  /// Passes of the layers above a layer for its slopes.
  Index climbs() const { return local_target_ ? 0 : (physical_ ? 2 : 1) * directions_; }
  void draw_rows(Index layer, const RuleBatch& batch, Index k, Matrix<float>& out) const;
  void make_guess(const Network& net, const RuleBatch& batch, Index layer, Index k, View<const float> h);
  void step_along(Matrix<float>& delta) const;

  Guess guess_;
  float epsilon_;
  std::vector<Stream> streams_;
  Matrix<float> delta_, scores_;
};

/// For a network with a model. Throws Unsupported for rule.space = weights.
std::unique_ptr<Rule> model_forward_gradient(RuleInfo info, const RuleContext& context);

}  // namespace lightloop
