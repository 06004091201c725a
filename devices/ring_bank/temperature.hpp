#pragma once
// The temperature of a chip over time, and what a controller leaves of it.
#include <cstdint>
#include <vector>

#include "core/array.hpp"

namespace lightloop::ring_bank {

/// A stationary Gaussian process of correlation exp(-t / time_s) as a sum of cosines: any time, in any order.
class Temperature {
 public:
  Temperature(double sd_k, double time_s, std::uint64_t seed);
  double at(double time_s) const;

 private:
  double amplitude_;
  std::vector<double> frequency_, phase_;
};

/// Phase of the rings on a grid of time.
struct Thermostat {
  Thermostat(double sd_k, double time_s, double rad_per_k, bool tracked, double period_s, std::uint64_t seed);
  bool moves() const { return scale != 0; }
  Index step(double time_s) const;
  /// Phase common to all rings at a step: the whole drift, or what has come up since the last correction.
  double phase(Index step) const;

  Temperature temperature;
  double scale, grid_s;
  bool tracking;
};

}  // namespace lightloop::ring_bank
