#include "sim/memory/phase_change.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

namespace lightloop::phase_change {

TEST_CASE("a written phase-change cell has the published programming error, drift and read noise") {
  const double u[] = {0.05, 0.25, 0.5, 1}, error_us[] = {.3588, .6814, .9527, 1.0554},
               read[] = {.294, .103, .0658, .0419};
  for (int i = 0; i < 4; ++i) {
    CHECK(programming_sd(u[i]) * kMaxMicrosiemens == Approx(error_us[i]).margin(6e-5));
    CHECK(read_sd(u[i], 3600) == Approx(read[i]).epsilon(6e-3));
  }
  CHECK(drift_mean(0.5) == Approx(0.049));
  CHECK(drift_sd(0.5) == Approx(0.008));
  CHECK(drift_mean(0) == Approx(0.1));
  const double day = 86400;
  CHECK(drift_factor(0.049, 3600) == Approx(.775).margin(6e-4));
  CHECK(drift_factor(0.049, day) == Approx(.664).margin(6e-4));
  CHECK(drift_factor(0.049, 30 * day) == Approx(.562).margin(6e-4));
  CHECK(drift_factor(0.049, 365 * day) == Approx(.497).margin(6e-4));
  CHECK(drift_factor(0.049, 0) == 1);
}

TEST_CASE("the variances of many cells are those of each") {
  const std::vector<float> written{0, 1e-5f, 0.02f, 0.3f, 1, 1.1f}, now{0, 9e-6f, 0.018f, 0.25f, 0.8f, 1};
  std::vector<float> variance(6);
  read_variance(written, now, 100, variance);
  for (std::size_t i = 0; i < 6; ++i) {
    const double sd = static_cast<double>(now[i]) * read_sd(static_cast<double>(written[i]), 100);
    CHECK(variance[i] == Approx(sd * sd).epsilon(1e-5).margin(1e-30));
  }
}

}  // namespace lightloop::phase_change
