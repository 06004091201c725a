#pragma once
// Pulsed cells in pairs: two conductances that pulses only raise, of which a weight is the difference.
//
// w = g+ - g-. A pulse up raises g+, a pulse down g-, each by the law of sim/memory/pulsed.hpp from 0 to a bound of its
// own. Nominal, n pulses after 0: constant_step g = min(b, n step), soft_bounds g = b (1 - (1 - step / b)^n). So a
// weight that goes to and fro uses its pair up: with their common part c = min(g+, g-) its range is -(b - c) to b - c,
// its next soft step from w = 0 is step (1 - c / b), and where both sides are at their bounds nothing moves it any
// more. Erasing both sides and writing the difference again gives the range back.
#include "sim/memory/pulsed.hpp"

namespace lightloop {

class PulsedPairs {
 public:
  /// Pairs at 0; the sides are made as PulsedCells.
  PulsedPairs(const PulsedModel& model, Index rows, Index cols, const Stream& made_plus, const Stream& made_minus);

  /// As PulsedCells: of one call a pair gets pulses on one side alone, so both draw from the same place.
  void pulse(View<const std::int32_t> counts, const Stream& cycles, std::uint64_t first_row);
  /// Pulses that would bring every pair from where it is to its target if all were nominal, 1e6 at most.
  void nominal_pulses(View<const float> target, View<std::int32_t> counts) const;
  void erase(Index row, Index column);
  float common(Index row, Index column) const;

  const Matrix<float>& weights() const { return weights_; }
  const Matrix<float>& plus() const { return plus_.weights(); }
  const Matrix<float>& minus() const { return minus_.weights(); }
  void set(View<const float> plus, View<const float> minus);  ///< what was saved

 private:
  void take_difference();

  PulsedModel model_;
  PulsedCells plus_, minus_;
  Matrix<float> weights_;
};

}  // namespace lightloop
