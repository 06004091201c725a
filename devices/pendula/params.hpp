#pragma once
// Settings of the pendula, and the chain that codes make of them.
#include <span>
#include <vector>

#include "core/param.hpp"
#include "devices/pendula/chain.hpp"

namespace lightloop::pendula {

std::vector<ParamInfo> params();

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
  /// d parameter / d s, the same for all pendula.
  double slope(Index place) const;
};

}  // namespace lightloop::pendula
