#include <numbers>

#include "devices/delay_vcsel/params.hpp"
#include "sim/lasers/laser_theory.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

/// A laser published in photon numbers.
Settings in_photon_numbers(const PhotonNumberLaser& laser) {
  const LaserModel m = normalised(laser);
  return {{"laser.photon_lifetime_s", m.photon_lifetime_s},
          {"laser.carrier_lifetime_s", m.carrier_lifetime_s},
          {"laser.alpha", m.alpha},
          {"laser.saturation", m.saturation},
          {"laser.threshold_a", threshold_current_a(laser)},
          {"laser.pump_slope", pump_slope(laser)}};
}

Settings operator+(Settings a, const Settings& b) {
  for (const auto& [key, value] : b) a[key] = value;
  return a;
}

/// Two polarisations, alone: no injection, no feedback.
Settings spin_flip(double k, double alpha, double g, double gs, double gp, double ga, double pump) {
  return {{"laser.kind", std::string("spin_flip")},
          {"laser.photon_lifetime_s", 0.5 / k},
          {"laser.alpha", alpha},
          {"laser.carrier_lifetime_s", 1 / g},
          {"laser.spin_rate_per_s", gs},
          {"laser.birefringence_rad_per_s", gp},
          {"laser.dichroism_per_s", ga},
          {"laser.pump", pump},
          {"drive.kind", std::string("current")},
          {"drive.depth", 0.1},
          {"adc.range", 2 * pump},
          {"feedback.rate_per_s", 0.0}};
}

}  // namespace

std::map<std::string, Settings> presets() {
  // Estebanez et al. (2021), delay reservoir, as its public code sets it (threshold quoted: 15.37 mA).
  const PhotonNumberLaser estebanez{2e-12, 2e-9, 3, 1.2e4, 1.5e8, 5e-7};
  // Chumley's public VCSEL library (threshold 0.319 mA at these numbers).
  const PhotonNumberLaser chumley{5.4e-12, 0.25e-9, 2, 8.75e5, 2.86e5, 4e-6};
  // Noise sqrt(k Csp (N +- n + M)) becomes sqrt(b g (N +- n)) with equal strength at N = 1: b = k Csp (1 + M) / g.
  const double m = 5.935 / (6.25 - 5.935);
  return {
      {"noiseless", {{"laser.spontaneous", 0.0}, {"detector.noise", 0.0}}},
      {"memory", {{"laser.pump", 0.9}, {"feedback.rate_per_s", 30e9}}},
      {"martin_regalado", spin_flip(300e9, 3, 1e9, 50e9, 10e9, 0.1e9, 1.2) + Settings{{"laser.spontaneous", 1e-5}}},
      {"dedkov_a", spin_flip(300e9, 5, 1e9, 500e9, kTurn * 32e9, -0.1e9, 2) +
                       Settings{{"laser.spontaneous", 300 * 1e-5 * (1 + m)}}},
      {"dedkov_b", spin_flip(680e9, 6, 1e9, 6000e9, kTurn * 30e9, 1.7e9, 23) +
                       Settings{{"laser.spontaneous", 680 * 5e-5 * (1 + m)}}},
      {"estebanez", in_photon_numbers(estebanez) + Settings{{"laser.bias_a", 0.995 * threshold_current_a(estebanez)},
                                                            {"sample_s", 11e-12},
                                                            {"feedback.delay_s", 1e-9},
                                                            {"feedback.rate_per_s", 5e9},
                                                            {"injection.rate_per_s", 200e9},
                                                            {"injection.detuning_hz", 20e9},
                                                            {"adc.range", 4.0}}},
      {"chumley", in_photon_numbers(chumley) + Settings{{"laser.bias_a", 1e-3},
                                                        {"drive.kind", std::string("current")},
                                                        {"feedback.delay_s", 1e-9},
                                                        {"feedback.rate_per_s", 1e9},
                                                        {"adc.range", 10.0}}},
  };
}

}  // namespace lightloop::delay_vcsel
