#include "training/metrics/lyapunov.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "training/echo_state.hpp"

using namespace lightloop;

namespace {

/// Classical Runge-Kutta step of Lorenz' equations.
void lorenz_step(std::span<double> x, double h) {
  const auto f = [](const double* p, double* d) {
    d[0] = 10 * (p[1] - p[0]);
    d[1] = p[0] * (28 - p[2]) - p[1];
    d[2] = p[0] * p[1] - 8.0 / 3 * p[2];
  };
  double k[4][3], at[3];
  f(x.data(), k[0]);
  for (int i = 0; i < 3; ++i) at[i] = x[static_cast<std::size_t>(i)] + h / 2 * k[0][i];
  f(at, k[1]);
  for (int i = 0; i < 3; ++i) at[i] = x[static_cast<std::size_t>(i)] + h / 2 * k[1][i];
  f(at, k[2]);
  for (int i = 0; i < 3; ++i) at[i] = x[static_cast<std::size_t>(i)] + h * k[2][i];
  f(at, k[3]);
  for (int i = 0; i < 3; ++i) x[static_cast<std::size_t>(i)] += h / 6 * (k[0][i] + 2 * (k[1][i] + k[2][i]) + k[3][i]);
}

}  // namespace

TEST_CASE("the exponent of a linear map is the log of its largest eigenvalue") {
  const Flow flow = [](std::span<double> x, Index) {
    const double a = x[0], b = x[1];
    x[0] = 0.5 * a + 0.25 * b + 1;  // eigenvalues 0.75 and 0.25
    x[1] = 0.25 * a + 0.5 * b + 1;
  };
  LyapunovSettings settings;
  settings.steps = 4000;
  settings.distance = 1e-6;
  CHECK(largest_lyapunov(flow, {1, 2}, settings).value == Approx(std::log(0.75)).epsilon(1e-3));
}

TEST_CASE("the logistic map at 4 has exponent log 2") {
  const Flow flow = [](std::span<double> x, Index) { x[0] = 4 * x[0] * (1 - x[0]); };
  LyapunovSettings settings;
  settings.steps = 200000;
  settings.every = 5;
  const auto found = largest_lyapunov(flow, {0.3}, settings);
  // independent blocks: two-sided at 4 standard errors, and that error small
  CHECK(found.at("error")[0] < 0.005);
  CHECK(std::abs(found.value - std::numbers::ln2) < 4 * found.at("error")[0] + 1e-4);
}

TEST_CASE("Lorenz' attractor has exponent 0.9056 within 1 %") {
  const double h = 0.01;
  LyapunovSettings settings;
  settings.step = h;
  settings.transient = 5000;
  settings.steps = 2000000;
  settings.every = 20;
  const auto found = largest_lyapunov([h](std::span<double> x, Index) { lorenz_step(x, h); }, {1, 1, 1}, settings);
  CHECK(found.value == Approx(0.9056).epsilon(0.01));  // 20 000 time units: standard error about 0.002
}

TEST_CASE("the conditional exponent of a leaky linear node is log a, from a flow and from two responses") {
  const double a = 0.9;
  LyapunovSettings settings;
  settings.distance = 1e-5;
  const Flow driven = [a](std::span<double> x, Index t) { x[0] = a * x[0] + std::sin(0.1 * static_cast<double>(t)); };
  CHECK(largest_lyapunov(driven, {0.2}, settings).value == Approx(std::log(a)).epsilon(1e-4));
  Matrix<double> one(200, 1), two(200, 1);
  double x = 0, y = 1;
  for (Index t = 0; t < 200; ++t) {
    const double u = std::sin(0.1 * static_cast<double>(t));
    one(t, 0) = x = a * x + u;
    two(t, 0) = y = a * y + u;
  }
  const auto found = conditional_lyapunov(one, two, 2.0);
  CHECK(found.value == Approx(std::log(a) / 2).epsilon(1e-9));
  CHECK(found.at("used")[0] == 66);  // rows until 0.9^t < 1e-3
  CHECK_THROWS_AS(conditional_lyapunov(one, one), InvalidParameter);
}

TEST_CASE("the exponent of a recorded logistic series is log 2, roughly") {
  Matrix<double> x(3000, 1);
  double now = 0.3;
  for (Index t = 0; t < 3000; ++t) x(t, 0) = now = 3.99999 * now * (1 - now);
  CHECK(series_lyapunov(x, 1, 10, 5).value == Approx(std::numbers::ln2).epsilon(0.15));
}
