#include "sim/lasers/laser_theory.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

namespace lightloop {
namespace {

LaserModel injected(double k_ns) {
  LaserModel m;
  m.injection_rate = k_ns * 1e9;
  return m;
}

}  // namespace

TEST_CASE("published lasers have their published threshold currents") {
  // quoted: 15.37 mA and 0.319 mA
  CHECK(threshold_current_a({2e-12, 2e-9, 3, 1.2e4, 1.5e8}) == Approx(15.37e-3).epsilon(0.003));
  CHECK(threshold_current_a({5.4e-12, 0.25e-9, 2, 8.75e5, 2.86e5}) == Approx(0.319e-3).epsilon(0.003));
  CHECK(pump_slope({5.4e-12, 0.25e-9, 2, 8.75e5, 2.86e5}) * (1 / 0.319 - 1) == Approx(5.022).epsilon(0.005));
}

TEST_CASE("relaxation oscillations, noise and linewidth of the textbook laser") {
  const LaserModel m = [] {
    LaserModel one;
    one.spontaneous = 1e-5;
    return one;
  }();
  const double f[] = {1.7408e9, 3.8952e9, 5.5081e9}, mu[] = {1.2, 2, 3};
  for (int i = 0; i < 3; ++i) {
    CHECK(relaxation_oscillation(m, mu[i]).frequency_hz == Approx(f[i]).epsilon(1e-4));
    CHECK(relaxation_oscillation(m, mu[i]).damping_per_s == Approx(mu[i] / 2 * 1e9));
  }
  CHECK(rin_peak_hz(m, 2) == Approx(3.898e9).epsilon(1e-3));
  CHECK(relative_intensity_noise(m, 2) == Approx(3.16e-3).epsilon(0.01));
  CHECK(relative_intensity_noise(m, 3) == Approx(1.84e-3).epsilon(0.01));
  CHECK(phase_diffusion(m, 2) == Approx(1e-4 * 1e9).epsilon(1e-9));
}

TEST_CASE("gain saturation damps the relaxation oscillation") {
  LaserModel m;
  m.saturation = 0.02;
  const double plain = relaxation_oscillation({}, 2).damping_per_s;
  // k s I / 2 each to first order, from d|E|'/d|E| = -2 k s I
  CHECK(relaxation_oscillation(m, 2).damping_per_s - plain == Approx(300e9 * 0.02).epsilon(0.05));
}

TEST_CASE("locking is Adler's at weak injection and limited by a Hopf bifurcation beyond") {
  CHECK(adler_range_hz(injected(0.2), 2, 1) == Approx(0.1007e9).epsilon(1e-3));
  const auto weak = locking_range_hz(injected(0.2), 2, 1);
  CHECK(weak.first == Approx(-0.1006e9).epsilon(0.01));
  CHECK(weak.second == Approx(0.1007e9).epsilon(0.01));
  const double table[][3] = {
      {2, -1.000, -0.557}, {5, -2.478, -1.698}, {20, -9.485, -5.037}, {60, -25.70, 2.08}, {120, -45.31, 14.93}};
  for (const auto& [k, low, high] : table) {
    const auto range = locking_range_hz(injected(k), 2, 1);
    INFO("K " << k << " per ns: " << range.first * 1e-9 << " to " << range.second * 1e-9 << " GHz");
    CHECK(range.first == Approx(low * 1e9).epsilon(0.01));
    CHECK(range.second == Approx(high * 1e9).epsilon(0.01));
  }
}

TEST_CASE("the polarisation edges of the matrix are those of the formulas without dichroism") {
  for (const double gp : {2e9, 5e9, 8e9, 9e9, 10e9, 12e9, 20e9}) {
    LaserModel m;
    m.birefringence_rad_per_s = gp;
    const double lost = x_lost_above(m), from = y_stable_above(m);
    INFO("gp " << gp * 1e-9 << " rad/ns");
    CHECK(polarisation_stable(m, 1 + (lost - 1) * 0.97, false));
    CHECK_FALSE(polarisation_stable(m, 1 + (lost - 1) * 1.03, false));
    if (from > 1.2 && from < 40) {
      CHECK(polarisation_stable(m, from * 1.03, true));
      CHECK_FALSE(polarisation_stable(m, from * 0.97, true));
    } else if (from == 1.0) {
      CHECK(polarisation_stable(m, 1.1, true));
    }
  }
}

TEST_CASE("dichroism decides where both polarisations could live") {
  LaserModel m;
  m.birefringence_rad_per_s = 2e9;
  for (const double ga : {-0.1e9, 0.1e9}) {
    m.dichroism_rate = ga;
    CHECK(polarisation_stable(m, 1.05, false));
    CHECK(polarisation_stable(m, 1.05, true));
    CHECK_FALSE(polarisation_stable(m, 1.2, false));
    CHECK(polarisation_stable(m, 1.2, true));
  }
  m = {};
  m.dichroism_rate = 0.1e9;  // gp 10 rad/ns: bistable, then x only, then neither
  CHECK((polarisation_stable(m, 1.1, false) && polarisation_stable(m, 1.1, true)));
  CHECK((polarisation_stable(m, 1.5, false) && !polarisation_stable(m, 1.5, true)));
  CHECK((!polarisation_stable(m, 2.0, false) && !polarisation_stable(m, 2.0, true)));
}

}  // namespace lightloop
