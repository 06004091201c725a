#include "sim/detection/coherent.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "sim/detection/component_energy.hpp"

namespace lightloop {
namespace {

/// Mean and variance of the products (n+ - n-) over many frames, for 100 equal outputs.
std::pair<double, double> measured(const CoherentReceiver& receiver, double product, double v2, double w2) {
  const Stream photons(9, 0, Purpose::user), electrical(9, 1, Purpose::user);
  const std::vector<double> norms(100, w2);
  std::vector<float> work(400), y(100);
  double sum = 0, square = 0;
  for (std::uint64_t row = 0; row < 400; ++row) {
    std::fill(y.begin(), y.end(), static_cast<float>(product));
    receiver.detect(v2, norms, photons, electrical, row, work, y);
    for (const float value : y)
      sum += static_cast<double>(value), square += static_cast<double>(value) * static_cast<double>(value);
  }
  const double mean = sum / 40000;
  return {mean, square / 40000 - mean * mean};
}

}  // namespace

// Null: mean = the product, variance of the counts = the photons counted. Two-sided, alpha 1e-3, n 40000, seed 9.
// Ten products of amplitudes 0.5 and 0.4 each.
TEST_CASE("the noise of a coherent product is its number of photons, from far below one per product to many") {
  for (const double photons : {0.04, 0.39, 3.2, 1e4}) {
    const CoherentReceiver ideal{.photons_signal = photons, .photons_local = photons};
    const auto [mean, variance] = measured(ideal, 10 * 0.5 * 0.4, 10 * 0.25, 10 * 0.16);
    const double counted = 10 * photons * (0.25 + 0.16), g = ideal.gain();
    INFO(photons << " photons: mean " << mean << ", variance of counts " << variance * g * g << " of " << counted);
    CHECK(std::abs(mean - 2) < 3.29 * std::sqrt(counted / 40000) / g);
    // variance of a variance: (2 + excess kurtosis) / n, the kurtosis of a difference of counts is 1 / variance
    CHECK(std::abs(variance * g * g / counted - 1) < 3.29 * std::sqrt((2 + 1 / counted) / 40000));
  }
}

TEST_CASE("losses, dark counts, poor overlap and electrons all add noise, and no bias") {
  const CoherentReceiver real{
      .photons_signal = 50, .photons_local = 80, .efficiency = 0.5, .visibility = 0.7, .dark = 20, .electrons = 9};
  const auto [mean, variance] = measured(real, 10 * 0.5 * -0.4, 10 * 0.25, 10 * 0.16);
  const double counted = 0.5 * 10 * (50 * 0.25 + 80 * 0.16) + 2 * 20 + 81, g = real.gain();
  CHECK(std::abs(mean + 2) < 3.29 * std::sqrt(counted / 40000) / g);
  CHECK(std::abs(variance * g * g / counted - 1) < 3.29 * std::sqrt((2 + 1 / counted) / 40000));
  const CoherentReceiver quiet{.counts = false};
  CHECK(measured(quiet, 1.5, 4, 4).first == Approx(1.5));
  CHECK(measured(quiet, 1.5, 4, 4).second == Approx(0).margin(1e-9));
}

TEST_CASE("the standard quantum limit of 50 zJ is 0.39 photons at 1550 nm") {
  CHECK(50e-21 / photon_energy_j(1550e-9) == Approx(.39).margin(.005));
}

TEST_CASE("electrical noise of the size of a strong local oscillator's shot noise is the vacuum's in a quadrature") {
  // R = q / (h nu), B = 1 / (2 T): variance 1 / 4 over the photons of a frame
  const double photon = photon_energy_j(1550e-9), frame = 1e-9, local = 1e-3, photons = 1234;
  const double responsivity = kElectronCharge / photon;
  const PhotoreceiverModel shot{.responsivity_a_w = responsivity, .dark_a = responsivity * local, .load_ohm = 0};
  const double sd = quadrature_noise_sd(shot, 0.5 / frame, local, photons * photon / frame);
  CHECK(sd * sd == Approx(0.25 / photons));
  const PhotoreceiverModel load{.responsivity_a_w = 0.8, .load_ohm = 1000, .temperature_k = 300};
  const double current = std::sqrt(4 * kBoltzmann * 300 / 1000 * 5e8);  // A
  CHECK(quadrature_noise_sd(load, 5e8, 1e-3, 1e-4) == Approx(current / (2 * 0.8 * std::sqrt(1e-7))));
}

}  // namespace lightloop
