#pragma once
// The trained linear read-out of a reservoir: ridge regression from running sums, so that no state needs to be kept.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// p = W' (x - mean) + offset.
struct LinearReadout {
  Matrix<double> weights;                           ///< (features, outputs), for features in their own units
  std::vector<double> mean, offset;                 ///< of features and outputs in training
  double ridge = 0;                                 ///< the one chosen
  std::vector<double> candidates, validation_nmse;  ///< of each candidate; empty without validation data

  /// (T, features) -> (T, outputs). Throws ShapeMismatch.
  void predict(View<const double> x, View<double> p) const;
  Matrix<double> predict(View<const double> x) const;
};

/// Ten decades, 1e-10 to 1.
const std::vector<double>& default_ridges();

/// Streaming ridge regression. Features are standardised (a feature that stands still gets weight 0), outputs centred,
/// the offset is not penalised: W minimises <|y - W'z|^2> + ridge |W|^2, so `ridge` is relative to the variance of one
/// feature. Memory: features^2, whatever the number of rows. Rows are summed in blocks of fixed size, so equal rows
/// give equal bits however they are cut into calls.
class RidgeTrainer {
 public:
  /// Throws OutOfRange below one feature or output.
  RidgeTrainer(Index features, Index outputs);
  ~RidgeTrainer();
  RidgeTrainer(RidgeTrainer&&) noexcept;
  RidgeTrainer& operator=(RidgeTrainer&&) noexcept;

  /// Rows to learn from, or to choose the ridge by. Throws ShapeMismatch, InvalidParameter for a number that is not
  /// finite.
  void add(View<const double> x, View<const double> y);
  void add_validation(View<const double> x, View<const double> y);

  /// Tries each ridge on the validation rows (NMSE over all outputs), takes the best, and solves again from all rows.
  /// Without validation rows there must be exactly one candidate. Throws InvalidParameter for fewer than two rows or a
  /// ridge below 0.
  LinearReadout solve(std::span<const double> ridges) const;

 private:
  struct Sums;
  std::unique_ptr<Sums> train_, validation_;
};

}  // namespace lightloop
