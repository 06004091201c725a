#include "core/ode/delay_runge_kutta.hpp"

#include <array>
#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

namespace lightloop {
namespace {

using One = std::array<double, 1>;

const auto kMackeyGlass = [](const One& x, const One& delayed, One& dxdt, double) {
  const double square = delayed[0] * delayed[0], fourth = square * square;
  dxdt[0] = 0.2 * delayed[0] / (1 + fourth * fourth * square) - 0.1 * x[0];
};

/// x(t) of Mackey-Glass at t = 3 delays of 17, from a past of 1.2, with `m` steps per delay.
double mackey_glass(int m) {
  const double h = 17.0 / m;
  One x{1.2};
  DelayRungeKutta4<One> stepper(17, h, x);
  boost::numeric::odeint::integrate_n_steps(stepper, kMackeyGlass, x, 0.0, h, static_cast<std::size_t>(3 * m));
  return x[0];
}

/// x'(t) = -x(t - delay), past 1: the method of steps.
double delayed_decay(double t, double delay) {
  double sum = 1, factorial = 1;
  for (int k = 1; t - (k - 1) * delay >= 0; ++k) {
    factorial *= k;
    sum += (k % 2 ? -1.0 : 1.0) * std::pow(t - (k - 1) * delay, k) / factorial;
  }
  return sum;
}

}  // namespace

TEST_CASE("Runge-Kutta with a Hermite past keeps order 4 on Mackey-Glass over three delays") {
  const double exact = mackey_glass(17 * 256);
  const double coarse = std::abs(mackey_glass(34) - exact), fine = std::abs(mackey_glass(17 * 16) - exact);
  INFO("errors " << coarse << ", " << fine);
  CHECK(std::log2(coarse / fine) / 3 == Approx(4.0).margin(0.1));
  CHECK(fine < 1e-9);
}

TEST_CASE("a delay of one step keeps order 4 at the jump of the slope") {
  // x' = -x(t - h): the solution is a polynomial of growing degree, exact up to degree 4
  const double h = 0.1;
  One x{1};
  DelayRungeKutta4<One> stepper(h, h, x);
  const auto decay = [](const One&, const One& delayed, One& dxdt, double) { dxdt[0] = -delayed[0]; };
  boost::numeric::odeint::integrate_n_steps(stepper, decay, x, 0.0, h, std::size_t{3});
  CHECK(x[0] == Approx(delayed_decay(0.3, h)).epsilon(1e-14));
}

TEST_CASE("a delay off the grid is interpolated: order 4 for a smooth solution") {
  // x' = -x(t - pi/2) with the past cos t has the solution cos t
  const auto error = [](int m) {
    const double delay = std::acos(-1.0) / 2, h = delay / (m + 0.37);
    One x{1};
    DelayRungeKutta4<One> stepper(delay, h, [](double t, One& value, One& slope) {
      value[0] = std::cos(t);
      slope[0] = -std::sin(t);
    });
    const auto system = [](const One&, const One& delayed, One& dxdt, double) { dxdt[0] = -delayed[0]; };
    const double end =
        boost::numeric::odeint::integrate_n_steps(stepper, system, x, 0.0, h, static_cast<std::size_t>(5 * m));
    return std::abs(x[0] - std::cos(end));
  };
  CHECK(std::log2(error(32) / error(256)) / 3 == Approx(4.0).margin(0.15));
  CHECK(error(64) < 1e-6);
}

TEST_CASE("integrating in two parts through a reference gives the bits of one run") {
  const double h = 0.5;
  One whole{1.2}, parts{1.2};
  DelayRungeKutta4<One> one(17, h, whole), two(17, h, parts);
  using boost::numeric::odeint::integrate_n_steps;
  integrate_n_steps(std::ref(one), kMackeyGlass, whole, 0.0, h, std::size_t{500});
  integrate_n_steps(std::ref(two), kMackeyGlass, parts, 0.0, h, std::size_t{123});
  integrate_n_steps(std::ref(two), kMackeyGlass, parts, 123 * h, h, std::size_t{377});
  CHECK(whole[0] == parts[0]);
}

TEST_CASE("a delay below one step and a step of another length are refused") {
  CHECK_THROWS_AS(DelayRungeKutta4<One>(0.5, 1.0, One{0}), InvalidParameter);
  DelayRungeKutta4<One> stepper(2, 1, One{0});
  One x{0};
  CHECK_THROWS_AS(stepper.do_step(kMackeyGlass, x, 0, 0.5), InvalidParameter);
}

}  // namespace lightloop
