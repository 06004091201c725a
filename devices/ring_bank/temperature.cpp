#include "devices/ring_bank/temperature.hpp"

#include <cmath>
#include <numbers>

#include "core/random.hpp"

namespace lightloop::ring_bank {
namespace {
constexpr int kCosines = 64;
constexpr double kStepsPerTime = 256;
}  // namespace

Temperature::Temperature(double sd_k, double time_s, std::uint64_t seed)
    : amplitude_(sd_k * std::sqrt(2.0 / kCosines)) {
  if (sd_k == 0) return;
  const Stream stream(seed, 0, Purpose::ring_drift);
  for (std::uint64_t k = 0; k < kCosines; ++k) {  // a Lorentzian spectrum of half width 1 / time_s
    frequency_.push_back(std::tan(std::numbers::pi * (stream.uniform(0, k) - 0.5)) / time_s);
    phase_.push_back(2 * std::numbers::pi * stream.uniform(1, k));
  }
}

double Temperature::at(double time_s) const {
  double sum = 0;
  for (std::size_t k = 0; k < frequency_.size(); ++k) sum += std::cos(frequency_[k] * time_s + phase_[k]);
  return amplitude_ * sum;
}

Thermostat::Thermostat(double sd_k, double time_s, double rad_per_k, bool tracked, double period_s, std::uint64_t seed)
    : temperature(sd_k, time_s, seed),
      scale(sd_k == 0 ? 0.0 : rad_per_k),
      grid_s(tracked ? period_s : time_s / kStepsPerTime),
      tracking(tracked) {}

Index Thermostat::step(double time_s) const { return static_cast<Index>(std::floor(time_s / grid_s)); }

double Thermostat::phase(Index step) const {
  if (!moves()) return 0;
  const double now = temperature.at(static_cast<double>(step) * grid_s);
  return scale * (tracking ? now - temperature.at(static_cast<double>(step - 1) * grid_s) : now);
}

}  // namespace lightloop::ring_bank
