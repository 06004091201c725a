#pragma once
// Analog memory cells that are changed by pulses, each a little up or down: what on-device learning works with.
#include <cstdint>
#include <span>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop {

/// One pulse moves a cell by dw_up or dw_down, dw = step (1 +- asymmetry_spread xi_1 + step_spread xi_2), times 1 +
/// cycle_noise xi anew for each pulse. constant_step: up to hard bounds. soft_bounds: times what is left, 1 - w / b_up
/// or 1 + w / b_down, so that up and down balance at the cell's symmetry point. Bounds b = bound (1 + bound_spread xi).
/// Spreads are drawn once per cell. The families and their parameters are those of Gokmen & Vlasov, Front. Neurosci.
/// 10, 333 (2016), and of the device models that followed.
struct PulsedModel {
  enum class Kind { constant_step, soft_bounds } kind = Kind::constant_step;
  double step = 1e-3;
  double step_spread = 0.3, asymmetry_spread = 0.01, bound_spread = 0.3;
  double cycle_noise = 0.3;
  double bound = 1;
  bool rising = false;  ///< one side of a pair: from 0 up, pulses down are not given
};

/// Pulses, down where negative, that bring a nominal cell from one weight to another, not rounded; soft bounds are
/// approached to a thousandth of their size.
double nominal_pulses(const PulsedModel& model, double from, double to);

class PulsedCells {
 public:
  /// Cells at 0. Draws columns 4 j .. 4 j + 3 of row i.
  PulsedCells(const PulsedModel& model, Index rows, Index cols, const Stream& fabrication);

  /// Gives cell (i, j) counts(i, j) pulses, up where positive. The pulses of one call share one draw, column j of row
  /// first_row + i, with the mean and variance that the single pulses have together: exact for soft bounds; with hard
  /// bounds all but the clip, which comes after the last pulse.
  void pulse(View<const std::int32_t> counts, const Stream& cycles, std::uint64_t first_row);
  /// Pulses that would bring every cell from where it is to its target if all cells were nominal, 1e6 at most.
  void nominal_pulses(View<const float> target, View<std::int32_t> counts) const;

  const Matrix<float>& weights() const { return weights_; }
  void set(View<const float> weights);  ///< what was saved
  void set(Index row, Index column, float weight) { weights_(row, column) = weight; }

 private:
  PulsedModel model_;
  Matrix<float> weights_, up_, down_, upper_, lower_;  // steps at w = 0, bounds as sizes
};

}  // namespace lightloop
