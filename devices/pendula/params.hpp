#pragma once
// Settings of the pendula, and the chain that codes make of them.
#include <span>
#include <vector>

#include "core/param.hpp"
#include "devices/front_end.hpp"
#include "devices/pendula/chain.hpp"

namespace lightloop::pendula {

std::vector<ParamInfo> params();
FrontEndNames front_end_names();

/// How long the chain swings, in steps of Runge-Kutta; what codes mean.
struct Scales {
  explicit Scales(const ParamSet& params);

  Index size, steps;
  double step_s, encoding_rad, range_rad;
  double middle_in, middle_program, middle_out;
  double frequency, span, coupling, drive, damping, drive_rad_s;

  Index parameters() const { return 3 * size; }
  /// The chain as it is meant, from signed settings s = (c - c0) / c0: frequencies, couplings, drives.
  Chain chain(std::span<const double> signed_settings) const;
  /// The chain at the upper end of all settings.
  Chain fastest() const { return chain(std::vector<double>(static_cast<std::size_t>(parameters()), 1.0)); }
  /// d parameter / d s, the same for all pendula.
  double slope(Index place) const;
};

/// How far the fastest motion of a chain turns in a step, in rad: the swing of neighbours against each other at full
/// drive, or friction where that is faster.
double turn(const Chain& chain, double step_s);
inline constexpr double kMostTurn =
    1.5;  ///< Runge-Kutta's steps stay bounded up to 2.6; assumed: exact enough below this
/// Throws OutOfRange for a chain that is too fast for the step.
void check_turn(const Chain& chain, double step_s);

}  // namespace lightloop::pendula
