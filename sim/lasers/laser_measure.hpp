#pragma once
// A laser measured as in the laboratory, on the running equations of spin_flip.hpp: what laser_theory.hpp predicts.
// Everything runs in double precision at the step of `grid`; feedback is off, noise and injection are on only where
// they are measured. Random draws: stream laser_spontaneous of `seed`, instances from 0, row = step.
#include <cstdint>
#include <utility>

#include "sim/lasers/spin_flip.hpp"

namespace lightloop {

class LaserBench {
 public:
  LaserBench(const LaserModel& model, const LaserGrid& grid, std::uint64_t seed = 1);

  struct LightLine {
    double threshold, slope;
  };
  /// The line through the settled light (of the polarisation with the lower loss) at 1.5 and 2.5 times threshold.
  LightLine light_line() const;

  struct Ringing {
    double frequency_hz, damping_per_s;
  };
  /// Two poles fitted to the return of the intensity after a kick of 1e-4.
  Ringing ringing(double pump) const;

  struct Noise {
    double peak_hz, sd_over_mean;
  };
  /// Averaged periodogram of the intensity of 8 lasers, its peak by a parabola through the logarithm, and the spread of
  /// the intensity; `segments` of 10 damping times from each.
  Noise intensity_noise(double pump, int segments = 60) const;
  /// Mean square change of the phase over 50 damping times, per second; 8 lasers, `lags` of them each. Its relative
  /// standard error is sqrt(2 / (8 lags)).
  double phase_diffusion(double pump, int lags = 200) const;

  /// Detunings between which injected light holds the laser still, searched from `inside` outwards (a detuning at which
  /// it locks) as far as `reach_hz` to either side, to 0.2 % of the reach; the detuning is swept slowly. NaN where
  /// `inside` does not lock.
  std::pair<double, double> locking_range_hz(double pump, double injected, double inside_hz, double reach_hz) const;

  /// Pump between `low` and `high` at which light polarised along x (or y) turns unstable or stable against a seed of
  /// the other polarisation, to 0.2 %. NaN where both ends behave alike.
  double polarisation_edge(bool y, double low, double high) const;

 private:
  std::unique_ptr<Lasers> lasers(int lanes) const;

  LaserModel model_;
  LaserGrid grid_;
  std::uint64_t seed_;
};

}  // namespace lightloop
