#include "sim/lasers/power.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/stats.hpp"

using namespace lightloop;

TEST_CASE("photon flux is power over photon energy") {
  CHECK(photon_flux(1.0, 532e-9) == Approx(1 / 3.7339e-19).epsilon(1e-4));  // 3.734e-19 J is 2.3305 eV
}

// Two-sided, alpha 1e-4.
TEST_CASE("relative intensity noise is normal, fresh per frame and repeated with the frame id") {
  const LaserPower laser(51, 0, 0.01, 0, 3600);
  std::vector<float> gains(20000);
  for (std::size_t f = 0; f < gains.size(); ++f) gains[f] = static_cast<float>((laser.gain(f, 0) - 1) / 0.01);
  CHECK(laser.gain(7, 0) == laser.gain(7, 1e6));
  CHECK(ks_p_value(ks_statistic(gains, normal_cdf), 20000) > 1e-4);
}

TEST_CASE("slow power drift has unit variance over devices, is smooth in time and a function of time alone") {
  double variance = 0, change = 0;
  const int devices = 4000;
  for (int i = 0; i < devices; ++i) {
    const LaserPower laser(52, static_cast<std::uint64_t>(i), 0, 0.01, 3600);
    const double now = (laser.drift_gain(5e4) - 1) / 0.01;
    variance += now * now / devices;
    change = std::max(change, std::abs((laser.drift_gain(5e4 + 1) - 1) / 0.01 - now));
    REQUIRE(laser.gain(3, 5e4) == laser.drift_gain(5e4));
  }
  // the square of a sum of 8 cosines has variance 2 - 3/16 (excess kurtosis -1.5/8)
  CHECK(std::abs(variance - 1) < 3.89 * std::sqrt((2 - 1.5 / 8) / devices));
  CHECK(change < 2 * 3.1416 / 3600 * 8 * 0.5);  // at most all tones at their steepest
}
