#pragma once
// How far a rule points where back-propagation points: its teaching signals, and its gradient of the weights.
#include <span>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// Sums of cosines per layer, over what was measured since the last reset.
struct AlignmentSums {
  std::vector<double> cosines;
  std::vector<double> counts;
  void resize(Index layers);
  /// Nothing where the cosine is not finite: one of the two was zero.
  void add(std::size_t layer, double cosine);
  /// Mean per layer; NaN where nothing was measured.
  std::vector<double> means() const;
};

/// Rows whose activities are held for a comparison, where passes are made for it alone: a batch comes in as many pieces
/// as the net has layers, so that deep nets hold no more than flat ones, within these limits. The signals of the first
/// piece are compared.
inline constexpr Index kFewestComparedRows = 8, kComparedRows = 256;

/// Compares on the batch of the last gradient() call, or that of Rule::taught(), by the weights of now; the gradient of
/// the output is then left out. The exact gradient is that of the run's loss at the network's
/// answer, through `batch.back` where that is given.
class Alignment {
 public:
  /// Takes the exact gradient of a batch, or of its first rows; then adds that of further rows, in order.
  void begin(const Network& net, const RuleBatch& rows);
  void add_rows(const Network& net, const RuleBatch& rows);
  /// Of the teaching signals, per hidden layer and active row (of the first piece): cos = <delta_rule, delta_bp> /
  /// (|delta_rule| |delta_bp|); a row where either is zero does not count (averaging zeros of empty samples in would
  /// hide what the others do). Of the gradients, per layer (block), the output's too: the cosine between `gradient`
  /// (layout of Network::parameters()), weights and biases, and the exact one.
  void compare(const Network& net, const Rule& rule, std::span<const float> gradient, AlignmentSums& signals,
               AlignmentSums& gradients) const;

 private:
  void exact(const Network& net, const RuleBatch& rows, std::vector<Matrix<float>>& delta, Matrix<float>& gradient);

  Index rows_ = 0;                                 ///< of the first piece
  std::vector<Matrix<float>> delta_, more_delta_;  ///< the exact teaching signals of these, and of further rows
  Matrix<float> gradient_, more_gradient_;         ///< and gradients, up to a factor
  std::vector<LayerMemory> work_;
};

}  // namespace lightloop
