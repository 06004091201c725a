#pragma once
// What the controller of sim:ring_bank believes of a bus: nominal rings that share its wavelengths.
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"
#include "sim/optics/ring.hpp"

namespace lightloop::ring_bank {

/// The ring that settings ask for, without spreads.
AddDropRing nominal_ring(const ParamSet& params);

/// Throws OutOfRange naming `model` for channels less than a linewidth apart, and for a symbol rate above the linewidth
/// c / (group index 2 pi radius finesse): rings that ring longer than a symbol have no weight of it.
void check_spectrum(const ParamSet& params, const std::string& model);

/// Steps of the detunings of one bus where rings act on each other's channels. Not for two threads at once.
class BusStep {
 public:
  /// `steepest`: the largest slope of a ring's weight; `nearest`: a detuning below which rings are not believed to be,
  /// where a weight's slope would vanish or turn.
  BusStep(const AddDropRing& ring, Index channels, double steepest, double nearest);
  /// step = (J^T J + (0.05 steepest)^2)^-1 J^T change: Gauss-Newton, damped (Levenberg). J_jk: slope of drop less
  /// through of channel j by the phase of ring k, all rings nominal at max(detuning, nearest). To take `step` off the
  /// detunings takes `change` off the weights where J can be inverted. All of one length, at most `channels`.
  void solve(std::span<const double> detuning, std::span<const double> change, std::span<double> step);

 private:
  void linearise(std::span<const double> detuning);
  AddDropRing ring_;
  Index channels_;
  double damping_, nearest_;
  std::vector<double> cos_, sin_;                 // of the angles between channels
  std::vector<double> passed_, dropped_, bends_;  // workspaces: of one channel at every ring
  std::vector<double> ring_cos_, ring_sin_;       // of the rings' phases, times 2 r1 r2 a
  Matrix<double> slopes_, normal_;                // J, and J^T J with its factor
};

}  // namespace lightloop::ring_bank
