#pragma once
// Equations of motion of a ring of driven pendula with torsion springs between neighbours.
#include <span>
#include <vector>

#include "core/array.hpp"

namespace lightloop::pendula {

/// q_i'' = -w_i^2 sin q_i + k_{i-1} (q_{i-1} - q_i) + k_i (q_{i+1} - q_i) - damping q_i' + a_i cos(drive t) cos q_i,
/// indices around the ring; a single pendulum has no neighbour.
struct Chain {
  std::vector<double> frequency;  ///< w_i in rad/s
  std::vector<double> coupling;   ///< k_i in 1/s^2, between i and i + 1
  std::vector<double> drive;      ///< a_i in rad/s^2
  double damping = 0;             ///< 1/s
  double drive_rad_s = 0;

  Index size() const { return static_cast<Index>(frequency.size()); }
  /// x = (angles, angular velocities), 2 n numbers.
  void slope(std::span<const double> x, std::span<double> dxdt, double t) const;
};

/// The state after `steps` steps of the classical Runge-Kutta method (Odeint's) from t = 0.
void swing(const Chain& chain, double step_s, Index steps, std::vector<double>& x);

/// Gradients for all 3 n parameters, frequencies first, then couplings, then drives.
struct ChainGradient {
  std::vector<double> values;
};
/// The adjoint of swing(), step by step and stage by stage, so that it is exact for the discrete map: g, the gradient
/// at the end, becomes that of the state at the start `x`; what the parameters have of it is added to `gradient`, if
/// given.
void swing_back(const Chain& chain, double step_s, Index steps, std::span<const double> x, std::vector<double>& g,
                ChainGradient* gradient);

}  // namespace lightloop::pendula
