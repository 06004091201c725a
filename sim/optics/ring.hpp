#pragma once
// Microring resonators on one or two straight waveguides, in steady state.
#include <numbers>

#include "core/array.hpp"

namespace lightloop {

/// Power transmission of a ring on one waveguide, T = (a^2 + r^2 - 2 a r cos phi) / (1 + a^2 r^2 - 2 a r cos phi): a
/// field amplitude left after one round, r passed by the coupler, phi the phase of one round. All in rad and plain
/// numbers, 0 < a r < 1.
double all_pass_ring(double a, double r, double phi);
/// d sqrt(T) / d phi; 0 where T is 0.
double all_pass_ring_slope(double a, double r, double phi);

/// A ring between two waveguides: couplers that pass the fields r1 (input side) and r2 (drop side), amplitude a left
/// after one round.
struct AddDropRing {
  double r1 = 0.9755, r2 = 0.9755, a = 0.996;

  struct Split {
    double through, drop;
  };
  /// Parts of the power that go on and that are dropped: T_t = (r2^2 a^2 - 2 r1 r2 a cos phi + r1^2) / D, T_d = (1 -
  /// r1^2)(1 - r2^2) a / D, D = 1 - 2 r1 r2 a cos phi + (r1 r2 a)^2.
  Split split(double phi) const;
  /// T_d - T_t: what a balanced pair of photodiodes sees of a channel, and its derivative.
  double weight(double phi) const;
  double weight_slope(double phi) const;
  /// The phase in [0, pi] with this weight; the nearer end where it cannot be reached.
  double phase_of_weight(double weight) const;
  /// Group delay of the drop on resonance, in rounds: (1 + r1 r2 a) / (2 (1 - r1 r2 a)).
  double drop_delay() const;
  double finesse() const;  ///< pi sqrt(r1 r2 a) / (1 - r1 r2 a): free spectral range over full width at half maximum
};

/// Channels over one free spectral range up to which a bus of such rings holds every row of weights in [-range, range]:
/// (2 F / pi) acosh(sqrt(2 / (1 + range))). A row of -range is the hardest: rings parked half way between channels pass
/// prod_m x_m^2 / (1 + x_m^2) = 1 / cosh^2(pi K / 2 F) of each, x_m = (2 m + 1) F / K half linewidths away on both
/// sides, and without loss drop the rest. Loss in the rings leaves a little more room.
double resolved_channels(double finesse, double range);

/// Free spectral range lambda^2 / (n_g L).
inline double free_spectral_range_m(double wavelength_m, double group_index, double length_m) {
  return wavelength_m * wavelength_m / (group_index * length_m);
}

/// Silicon-nitride rings as measured: 40 of them on one die, radius 40-160 um, gap 0.6-1.6 um. Fitted here to the
/// published extraction (data of Z. Zhang et al., Opt. Express 31, 23651 (2023), MIT licence); "spread" is one standard
/// deviation from ring to ring.
struct MeasuredRings {
  static constexpr double kGroupIndex = 1.770;  ///< at 1570 nm, 30 rings of radius >= 80 um; spread 0.0010
  /// Effective index at 1574 nm, 36 rings of radius >= 60 um: spread of all, and of what place and bend leave open.
  static constexpr double kIndexSpread = 7.4e-4, kIndexSpreadLocal = 5.9e-4;
  /// Coupling angle exp(c0 + c1 gap / um + c2 ln(radius / um)) at 1570 nm, radius >= 60 um, relative spread.
  static constexpr double kCoupling0 = -1.803, kCouplingGap = -2.009, kCouplingRadius = 0.500;
  static constexpr double kCouplingSpread = 0.015;
  static constexpr double kLossDbPerCm = 0.53, kLossSpread = 0.08;  ///< at 1570 nm, 24 rings of radius >= 100 um
};
/// The field that a coupler of those rings passes, cos(coupling angle).
double measured_self_coupling(double radius_m, double gap_m);

}  // namespace lightloop
