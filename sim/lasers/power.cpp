#include "sim/lasers/power.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lightloop {

double photon_flux(double power_w, double wavelength_m) {
  constexpr double kPlanck = 6.62607015e-34, kLight = 299792458;  // exact by definition of the SI
  return power_w * wavelength_m / (kPlanck * kLight);
}

LaserPower::LaserPower(std::uint64_t seed, std::uint64_t instance, double rin, double drift, double drift_time_s)
    : rin_(rin), drift_(drift), noise_(seed, instance, Purpose::laser_power) {
  const Stream stream(seed, instance, Purpose::laser_drift);
  for (int i = 0; i < kTones; ++i) {
    const auto column = static_cast<std::uint64_t>(4 * i);
    const auto k = static_cast<std::size_t>(i);
    frequency_hz_[k] = std::pow(8.0, -stream.uniform(0, column)) / drift_time_s;
    phase_rad_[k] = 2 * std::numbers::pi * stream.uniform(0, column + 2);
  }
}

double LaserPower::drift_gain(double time_s) const {
  if (drift_ == 0) return 1;
  double sum = 0;
  for (std::size_t i = 0; i < kTones; ++i)
    sum += std::cos(2 * std::numbers::pi * frequency_hz_[i] * time_s + phase_rad_[i]);
  return std::max(0.0, 1 + drift_ * sum * std::sqrt(2.0 / kTones));
}

double LaserPower::gain(std::uint64_t frame, double time_s) const {
  const double fast = rin_ > 0 ? std::max(0.0, 1 + rin_ * noise_.normal(frame, 0)) : 1;
  return fast * drift_gain(time_s);
}

}  // namespace lightloop
