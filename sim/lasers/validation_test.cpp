// The table of docs/results.md for lasers and delay equations, row by row: each test measures, holds the measurement to
// its tolerance and, where the environment names a file in LIGHTLOOP_ROWS, adds its line there
// (tools/results/vcsel.py makes the page of them).
#include <array>
#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta4.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "core/ode/delay_runge_kutta.hpp"
#include "core/ode/euler_maruyama.hpp"
#include "core/ode/heun.hpp"
#include "core/random_side_by_side.hpp"
#include "sim/lasers/laser_measure.hpp"
#include "sim/lasers/laser_theory.hpp"

namespace lightloop {
namespace {

namespace ode = boost::numeric::odeint;
constexpr double kTurn = 2 * std::numbers::pi;

/// One line of the table: measured against expected, within `tolerance` (absolute).
void row(int number, const std::string& claim, double expected, double measured, double tolerance) {
  INFO(number << ": " << claim);
  CHECK(measured == Approx(expected).margin(tolerance));
  const char* file = std::getenv("LIGHTLOOP_ROWS");
  if (!file) return;
  std::FILE* to = std::fopen(file, "a");
  REQUIRE(to);
  std::fprintf(to, "%d\t%s\t%.6g\t%.6g\t%.2g\t%s\n", number, claim.c_str(), expected, measured, tolerance,
               std::abs(measured - expected) <= tolerance ? "yes" : "no");
  std::fclose(to);
}

std::string at(const std::string& claim, const char* name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return claim + ", " + name + " = " + text;
}

LaserModel injected(double per_ns) {
  LaserModel m;
  m.injection_rate = per_ns * 1e9;
  return m;
}

LaserModel noisy() {
  LaserModel m;
  m.spontaneous = 1e-5;
  return m;
}

/// Growth per unit time of |x| under x' = i x.
template <class Stepper>
double growth(double h) {
  Stepper stepper;
  std::array<double, 2> x{1, 0};
  const auto rotation = [](const auto& y, auto& dydt, double) { dydt = {-y[1], y[0]}; };
  for (int n = 0; n < 1000; ++n) stepper.do_step(rotation, x, 0.0, h);
  return std::log(std::hypot(x[0], x[1])) / (1000 * h);
}

double mackey_glass_rate(double x, double delayed) {
  const double square = delayed * delayed, fourth = square * square;
  return 0.2 * delayed / (1 + fourth * fourth * square) - 0.1 * x;
}

enum class Past { hermite, linear, frozen };

/// Mackey-Glass over three delays with `m` steps per delay by Runge-Kutta, the past taken in three ways.
double mackey_glass(int m, Past kind) {
  const double h = 17.0 / m;
  if (kind == Past::hermite) {
    std::array<double, 1> x{1.2};
    ode::integrate_n_steps(
        DelayRungeKutta4<std::array<double, 1>>(17, h, x),
        [](const auto& y, const auto& delayed, auto& d, double) { d[0] = mackey_glass_rate(y[0], delayed[0]); }, x, 0.0,
        h, static_cast<std::size_t>(3 * m));
    return x[0];
  }
  std::vector<double> x(static_cast<std::size_t>(m) + 1, 1.2);  // x.back() is the present
  for (int n = 0; n < 3 * m; ++n) {
    const std::size_t old = x.size() - 1 - static_cast<std::size_t>(m);
    const double a = x[old], end = kind == Past::frozen ? a : x[old + 1], middle = (a + end) / 2, now = x.back();
    const double k1 = mackey_glass_rate(now, a), k2 = mackey_glass_rate(now + h / 2 * k1, middle);
    const double k3 = mackey_glass_rate(now + h / 2 * k2, middle), k4 = mackey_glass_rate(now + h * k3, end);
    x.push_back(now + h / 6 * (k1 + 2 * (k2 + k3) + k4));
  }
  return x.back();
}

}  // namespace

TEST_CASE("lasers row 1: published threshold currents") {
  row(1, "threshold current, Estebanez set [mA], published 15.37", 15.37,
      1e3 * threshold_current_a({2e-12, 2e-9, 3, 1.2e4, 1.5e8}), 0.003 * 15.37);
  row(1, "threshold current, Chumley set [mA], published 0.319", 0.319,
      1e3 * threshold_current_a({5.4e-12, 0.25e-9, 2, 8.75e5, 2.86e5}), 0.005 * 0.319);
}

TEST_CASE("lasers row 2: the L-I line") {
  const auto line = LaserBench({}, {}).light_line();
  row(2, "threshold pump", 1, line.threshold, 1e-10);
  row(2, "slope of the L-I line", 1, line.slope, 1e-10);
}

TEST_CASE("lasers row 3: relaxation oscillation") {
  const double mu[] = {1.2, 2, 3}, f[] = {1.7408, 3.8952, 5.5081}, damping[] = {0.6, 1, 1.5};
  for (int i = 0; i < 3; ++i) {
    const auto ring = LaserBench({}, {.step_s = 0.5e-12}).ringing(mu[i]);
    row(3, at("relaxation oscillation [GHz]", "mu", mu[i]), f[i], ring.frequency_hz * 1e-9, 0.003 * f[i]);
    row(3, at("its damping [1/ns]", "mu", mu[i]), damping[i], ring.damping_per_s * 1e-9, 0.003 * damping[i]);
  }
}

TEST_CASE("lasers row 4: intensity noise", "[.slow]") {
  const auto noise = LaserBench(noisy(), {}).intensity_noise(2, 240);
  row(4, "peak of the intensity noise [GHz], mu = 2", 3.90, noise.peak_hz * 1e-9, 0.03 * 3.90);
  // 19200 independent squares: standard error 0.5 %
  row(4, "sd over mean of the intensity, mu = 2", 3.16e-3, noise.sd_over_mean, 0.03 * 3.16e-3);
}

TEST_CASE("lasers row 5: linewidth", "[.slow]") {
  // 8 lasers, 500 lags of 50 ns: standard error 2.2 %
  row(5, "phase diffusion (b g / I)(1 + alpha^2) [rad^2/ns], mu = 2, b = 1e-5", 1e-4,
      LaserBench(noisy(), {}).phase_diffusion(2, 500) * 1e-9, 1e-5);
}

TEST_CASE("lasers row 6: Adler's range") {
  const auto range = LaserBench(injected(0.2), {}).locking_range_hz(2, 1, 0, 0.13e9);
  row(6, "lower edge of locking [GHz], K = 0.2 /ns", -0.1007, range.first * 1e-9, 0.001007);
  row(6, "upper edge of locking [GHz], K = 0.2 /ns", 0.1007, range.second * 1e-9, 0.001007);
}

TEST_CASE("lasers row 7: locking limited by a Hopf bifurcation", "[law]") {
  const double table[][3] = {
      {2, -1.000, -0.557}, {5, -2.478, -1.698}, {20, -9.485, -5.037}, {60, -25.70, 2.08}, {120, -45.31, 14.93}};
  for (const auto& [k, low, high] : table) {
    const auto theory = locking_range_hz(injected(k), 2, 1);
    row(7, at("lower edge by eigenvalues [GHz]", "K", k), low, theory.first * 1e-9, 0.01 * std::abs(low));
    row(7, at("upper edge by eigenvalues [GHz]", "K", k), high, theory.second * 1e-9, 0.01 * std::abs(high));
    const double width = theory.second - theory.first;
    const auto run = LaserBench(injected(k), {.step_s = 0.5e-12})
                         .locking_range_hz(2, 1, (theory.first + theory.second) / 2, 0.8 * width);
    row(7, at("lower edge of the running model [GHz]", "K", k), low, run.first * 1e-9, 0.01 * std::abs(low));
    row(7, at("upper edge of the running model [GHz]", "K", k), high, run.second * 1e-9, 0.01 * width * 1e-9);
  }
}

TEST_CASE("lasers row 8: polarisation edges without dichroism", "[law]") {
  for (const double gp : {2.0, 5.0, 8.0, 10.0}) {
    LaserModel m;
    m.birefringence_rad_per_s = gp * 1e9;
    const LaserBench bench(m, {.two_polarisations = true});
    const double over = x_lost_above(m) - 1;
    row(8, at("x is lost above mu = 1 + gs gp / (g (k alpha - gp))", "gp", gp), 1 + over,
        bench.polarisation_edge(false, 1 + 0.8 * over, 1 + 1.25 * over), 0.02 * over + 0.002);
    if (gp < 9) continue;
    const double from = y_stable_above(m);
    row(8, at("y is stable above mu = 1 + (2 alpha gp - gs) / g", "gp", gp), from,
        bench.polarisation_edge(true, 0.8 * from, 1.25 * from), 0.02 * from);
  }
}

TEST_CASE("lasers row 9: the spin-flip model with light in x alone is the single-mode laser") {
  LaserModel m;
  m.spin_rate = 1e13;
  m.birefringence_rad_per_s = 0;
  const LaserGrid both{.two_polarisations = true};
  const auto one = LaserBench(m, {}).ringing(2), two = LaserBench(m, both).ringing(2);
  row(9, "relaxation oscillation over that of the single-mode laser", 1, two.frequency_hz / one.frequency_hz, 1e-6);
  row(9, "its damping over that of the single-mode laser", 1, two.damping_per_s / one.damping_per_s, 1e-6);
  row(9, "slope of the L-I line", 1, LaserBench(m, both).light_line().slope, 1e-6);
}

TEST_CASE("lasers row 10: the past decides the order of a delay equation") {
  const double exact = mackey_glass(17 * 256, Past::hermite);
  const auto order = [&](Past kind) {
    return std::log2(std::abs(mackey_glass(17 * 4, kind) - exact) / std::abs(mackey_glass(17 * 32, kind) - exact)) / 3;
  };
  row(10, "order of Runge-Kutta with a Hermite past", 3.99, order(Past::hermite), 0.1);
  row(10, "order with a linear past", 2.00, order(Past::linear), 0.1);
  row(10, "order with a frozen past", 1.00, order(Past::frozen), 0.1);
}

TEST_CASE("lasers row 11: spurious growth of a rotation") {
  using Two = std::array<double, 2>;
  const double h = 0.05;
  row(11, "Euler's growth over w^2 h / 2", 1, growth<EulerMaruyama<Two>>(h) / (h / 2), 0.01);
  row(11, "Heun's growth over w^4 h^3 / 8", 1, growth<Heun<Two>>(h) / (h * h * h / 8), 0.01);
  row(11, "Runge-Kutta's growth over -w^6 h^5 / 144", 1, growth<ode::runge_kutta4<Two>>(h) / (-std::pow(h, 5) / 144),
      0.01);
}

TEST_CASE("lasers row 11: near threshold the step does not change the statistics of the light", "[.slow]") {
  // g2(0) = <I^2> / <I>^2 at mu = 1.05, b = 1e-3: 1.0390 to 1.0396 for steps of 4 to 0.5 ps by an independent program
  const SideBySide source(9, 0, Purpose::laser_spontaneous);
  for (const double step_ps : {4.0, 1.0}) {
    const auto lasers = make_lasers({.step_s = step_ps * 1e-12}, 8);
    LaserModel m;
    m.spontaneous = 1e-3;
    std::array<double, 8> pump, injected{}, x, y;
    pump.fill(1.05);
    for (int lane = 0; lane < 8; ++lane) {
      lasers->set(lane, m);
      lasers->reset(lane, 1.05);
    }
    alignas(64) std::array<float, kSide * kDeviates> normals;
    double count = 0, first = 0, second = 0;
    const int steps = static_cast<int>(12e6 / step_ps), settle = static_cast<int>(40e3 / step_ps);  // 12 us
    for (int n = 0; n < steps; ++n) {
      source.members(static_cast<std::uint64_t>(n), normals);
      lasers->advance(1, pump.data(), injected.data(), normals.data(), kSide, x.data(), y.data());
      if (n < settle) continue;
      for (const double intensity : x) {
        first += intensity;
        second += intensity * intensity;
        ++count;
      }
    }
    // about 5e4 independent values of I^2, relative sd 0.4: standard error 0.0018 of g2, less the part shared with <I>
    row(11, at("g2(0) at mu = 1.05, b = 1e-3", "step in ps", step_ps), 1.0393,
        second / count / (first * first / count / count), 0.002);
  }
}

TEST_CASE("lasers row 12: Mackey-Glass at a delay of 17", "[.slow]") {
  // the equation and its tangent; the tangent's length is that of its whole past
  using Two = std::array<double, 2>;
  const double h = 0.5, span = 2e6;
  Two x{1.2, 1};
  DelayRungeKutta4<Two> stepper(17, h, x);
  const auto system = [](const Two& y, const Two& then, Two& d, double) {
    const double square = then[0] * then[0], tenth = square * square * square * square * square;
    const double share = 1 / (1 + tenth);
    d[0] = 0.2 * then[0] * share - 0.1 * y[0];
    d[1] = 0.2 * (1 - 9 * tenth) * share * share * then[1] - 0.1 * y[1];
  };
  const int block = 200, blocks = static_cast<int>(span / h / block);
  double mean = 0, square = 0, growth_sum = 0;
  for (int i = -100; i < blocks; ++i) {
    for (int n = 0; n < block; ++n) {
      stepper.do_step(system, x, 0, h);
      if (i < 0) continue;
      mean += x[0] / (double(blocks) * block);
      square += x[0] * x[0] / (double(blocks) * block);
    }
    double length = 0;
    stepper.transform([&](Two& y, Two&) { length += y[1] * y[1]; });
    length = std::sqrt(length);
    stepper.transform([&](Two& y, Two& slope) {
      y[1] /= length;
      slope[1] /= length;
    });
    x[1] /= length;
    if (i >= 0) growth_sum += std::log(length);
  }
  row(12, "mean of Mackey-Glass, delay 17", 0.930, mean, 0.003);
  row(12, "its sd", 0.226, std::sqrt(square - mean * mean), 0.003);
  row(12, "its largest Lyapunov exponent", 0.00514, growth_sum / (double(blocks) * block * h), 9e-5);  // 3 sd
}

TEST_CASE("lasers row 13: Lorenz 63", "[.slow]") {
  using Six = std::array<double, 6>;
  const auto system = [](const Six& s, Six& d, double) {
    d = {10 * (s[1] - s[0]),
         s[0] * (28 - s[2]) - s[1],
         s[0] * s[1] - 8. / 3 * s[2],
         10 * (s[4] - s[3]),
         s[3] * (28 - s[2]) - s[0] * s[5] - s[4],
         s[3] * s[1] + s[0] * s[4] - 8. / 3 * s[5]};
  };
  Six s{1, 1, 20, 1, 0, 0};
  ode::runge_kutta4<Six> stepper;
  const double h = 0.005;
  double sum = 0;
  const int blocks = 100000;
  for (int i = -1000; i < blocks; ++i) {
    for (int n = 0; n < 40; ++n) stepper.do_step(system, s, 0.0, h);
    const double length = std::hypot(s[3], s[4], s[5]);
    for (std::size_t c = 3; c < 6; ++c) s[c] /= length;
    if (i >= 0) sum += std::log(length);
  }
  row(13, "largest Lyapunov exponent of Lorenz 63", 0.9056, sum / (blocks * 40 * h), 0.009);
}

}  // namespace lightloop
