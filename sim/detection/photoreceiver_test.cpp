#include "sim/detection/photoreceiver.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {
const PhotoreceiverModel kDiode{.load_ohm = 166, .temperature_k = 300};
}

TEST_CASE("noise of a photodiode is shot, dark, thermal and intensity noise together") {
  const PhotoreceiverModel m{
      .dark_a = 1e-8, .load_ohm = 50, .temperature_k = 290, .amplifier_a_hz = 2e-11, .rin_per_hz = 1e-15};
  CHECK(m.density(1e-3) == Approx(2 * 1.602176634e-19 * 1.00001e-3 + 4 * 1.380649e-23 * 290 / 50 + 4e-22 + 1e-21));
  CHECK(m.floor_density() == Approx(2 * 1.602176634e-19 * 1e-8 + 4 * 1.380649e-23 * 290 / 50 + 4e-22));
  CHECK(PhotoreceiverModel{.load_ohm = 0}.floor_density() == 0);
}

TEST_CASE("1 mA on 166 ohm behind a Butterworth-4 of 20 GHz sampled at 160 GHz: 8.54e-12 A^2") {
  const LowPass filter(4, 20e9, 160e9);
  CHECK(kDiode.density(1e-3) * filter.noise_bandwidth_hz() == Approx(8.54e-12).epsilon(1e-3));
  // the filter of an oscilloscope without sampling
  CHECK(kDiode.density(1e-3) * butterworth_noise_bandwidth(4, 20e9) == Approx(8.62e-12).epsilon(1e-3));
}

TEST_CASE("a sampled Butterworth has the noise bandwidth of its kind, half power at its cutoff and no gain for dc") {
  for (int order = 1; order <= 8; ++order) {
    INFO("order " << order);
    LowPass filter(order, 1e6, 1e9);
    CHECK(filter.noise_bandwidth_hz() == Approx(butterworth_noise_bandwidth(order, 1e6)).epsilon(4e-3));
    double power = 0, last = 0;
    for (int n = 0; n < 40000; ++n) {
      const double y = filter.next(std::sin(2 * 3.14159265358979 * 1e-3 * n));
      if (n >= 20000) power += 2 * y * y / 20000;
    }
    CHECK(power == Approx(0.5).epsilon(1e-3));
    filter.reset();
    for (int n = 0; n < 20000; ++n) last = filter.next(1);
    CHECK(last == Approx(1).epsilon(1e-9));
  }
  CHECK(butterworth_noise_bandwidth(1, 1) == Approx(3.14159265 / 2));
  CHECK_THROWS_AS(LowPass(0, 1, 10), OutOfRange);
  CHECK_THROWS_AS(LowPass(2, 5, 10), OutOfRange);
  CHECK_THROWS_AS(LowPass(2, 0, 10), OutOfRange);
}

// Null: variance = density * noise bandwidth. Neighbouring samples of the output are correlated; the number of
// independent ones is n / sum of squared correlations, about n / 5.3 here. Two-sided, alpha 1e-3, n 200000, seed 4.
TEST_CASE("white noise keeps its variance per bandwidth through the filter") {
  LowPass filter(4, 20e9, 160e9);
  const double sd = std::sqrt(kDiode.density(1e-3) * 160e9 / 2);
  const Stream stream(4, 0, Purpose::user);
  const int n = 200000;
  double sum = 0;
  std::vector<double> y;
  for (int i = -200; i < n; ++i) {
    const double value = filter.next(sd * stream.normal(0, static_cast<std::uint64_t>(i + 200)));
    if (i < 0) continue;
    y.push_back(value);
    sum += value * value;
  }
  double wide = 1;
  for (std::size_t lag = 1; lag < 60; ++lag) {
    double c = 0;
    for (std::size_t i = lag; i < y.size(); ++i) c += y[i] * y[i - lag];
    wide += 2 * (c / sum) * (c / sum);
  }
  INFO("variance " << sum / n << ", " << n / wide << " independent samples");
  CHECK(std::abs(sum / n / 8.5375e-12 - 1) < 3.29 * std::sqrt(2 * wide / n));
}

TEST_CASE("a receiver of 8 bits, 5 GHz and 1 kohm needs 1.26 mA against shot and 0.255 mA against thermal noise") {
  CHECK(shot_limited_current(8, 5e9) == Approx(1.26e-3).epsilon(1e-3));
  CHECK(thermal_limited_current(8, 5e9, 1000, 300) == Approx(.255e-3).epsilon(2e-3));
  CHECK(thermal_limited_current(4, 5e9, 1000, 300) == Approx(16e-6).epsilon(4e-3));
  CHECK(shot_limited_current(6, 5e9) == Approx(79e-6).epsilon(5e-3));
  // and that is what a step's rounding error means
  const double i = shot_limited_current(8, 5e9);
  CHECK(std::sqrt(2 * kElectronCharge * i * 5e9) == Approx(i / 256 / std::sqrt(12)));
}

TEST_CASE("symbols behind a Butterworth filter: its sampled response at a fine rate, and the closed form of order 1") {
  const double symbol = 1e-9;
  const int fine = 4000;  // samples per symbol
  for (int order = 1; order <= 8; ++order)
    for (const double cutoff : {0.4e9, 0.75e9, 2e9}) {
      INFO("order " << order << ", cutoff " << cutoff);
      const std::vector<double> taps = symbol_response(order, cutoff, symbol);
      CHECK(static_cast<double>(taps.size()) <= symbols_to_settle(order, cutoff, symbol));
      double sum = 0;
      for (const double tap : taps) sum += tap;
      CHECK(sum == Approx(1).epsilon(1e-12));
      CHECK((taps.size() == 1 || std::abs(taps.back()) >= 0.99e-6));
      LowPass filter(order, cutoff, fine / symbol);
      double worst = 0;
      for (std::size_t k = 0; k < taps.size() + 3; ++k) {  // one symbol of light, then darkness
        double last = 0;
        for (int n = 0; n < fine; ++n) last = filter.next(k == 0 ? 1.0 : 0.0);
        worst = std::max(worst, std::abs(last - (k < taps.size() ? taps[k] : 0.0)));
      }
      CHECK(worst < 4e-3 * cutoff * symbol);  // half a sample early or late, and cut taps
    }
  const std::vector<double> one = symbol_response(1, 0.3e9, symbol);
  const double kept = std::exp(-2 * 3.14159265358979 * 0.3);
  for (std::size_t k = 0; k < one.size(); ++k)
    CHECK(one[k] == Approx((1 - kept) * std::pow(kept, static_cast<double>(k))).epsilon(1e-5));
  CHECK_THROWS_AS(symbol_response(9, 1, 1), OutOfRange);
  CHECK_THROWS_AS(symbol_response(2, 0, 1), OutOfRange);
}

}  // namespace lightloop
