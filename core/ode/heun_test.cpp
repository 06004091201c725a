#include "core/ode/heun.hpp"

#include <array>
#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/ode/delay_line.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

using One = std::array<double, 1>;
using Two = std::array<double, 2>;

/// x'(t) = -x(t - 1), x = 1 before 0, by the method of steps: a polynomial on every unit interval.
double delayed_decay(double t) {
  double sum = 1, factorial = 1;
  for (int k = 1; k <= static_cast<int>(t) + 1; ++k) {
    factorial *= k;
    sum += (k % 2 ? -1.0 : 1.0) * std::pow(t - k + 1, k) / factorial;
  }
  return sum;
}

/// Error at t = 4.5 with m steps per delay.
double delay_error(Index m) {
  const double h = 1.0 / static_cast<double>(m);
  DelayLine<double> past(m, 1.0);
  double now = 0;
  const auto drift = [&](const One&, One& dxdt, double t) { dxdt[0] = -past.ago(t > now + h / 2 ? m - 1 : m); };
  One x{1.0};
  bool started = false;
  boost::numeric::odeint::integrate_n_steps(Heun<One>(), drift, x, 0.0, h, static_cast<std::size_t>(9 * m / 2),
                                            [&](const One& value, double t) {
                                              now = t;
                                              if (started) past.push(value[0]);
                                              started = true;
                                            });
  return std::abs(x[0] - delayed_decay(4.5));
}

/// Strong error of dX = X o dW at t = 1, exact solution exp(W): mean over paths of |X - exp(W)|.
double path_error(int steps) {
  constexpr int kPaths = 400, kFinest = 256;
  const Stream stream(17, 0, Purpose::user);
  const double h = 1.0 / steps;
  double sum = 0;
  for (int path = 0; path < kPaths; ++path) {
    One x{1.0};
    double w = 0;
    for (int n = 0; n < steps; ++n) {
      double dw = 0;  // the same Brownian path for every step size
      for (int k = n * kFinest / steps; k < (n + 1) * kFinest / steps; ++k)
        dw += stream.normal(static_cast<std::uint64_t>(path), static_cast<std::uint64_t>(k)) / std::sqrt(kFinest);
      w += dw;
      const StochasticSystem system{[](const One&, One& dxdt, double) { dxdt[0] = 0; },
                                    [&](const One& y, One& noise, double) { noise[0] = y[0] * dw; }};
      Heun<One>().do_step(system, x, n * h, h);
    }
    sum += std::abs(x[0] - std::exp(w));
  }
  return sum / kPaths;
}

}  // namespace

TEST_CASE("Heun keeps order 2 on a delay equation with a known solution") {
  const double coarse = delay_error(10), middle = delay_error(20), fine = delay_error(40);
  CHECK(std::log2(coarse / middle) == Approx(2.0).margin(0.05));
  CHECK(std::log2(middle / fine) == Approx(2.0).margin(0.05));
  CHECK(fine < 1e-3);
}

TEST_CASE("Heun grows a rotation by w^4 h^3 / 8 and no more") {
  const double w = 2.0, h = 0.05;
  Two x{1, 0};
  const auto rotation = [&](const Two& y, Two& dydt, double) { dydt = {-w * y[1], w * y[0]}; };
  boost::numeric::odeint::integrate_n_steps(Heun<Two>(), rotation, x, 0.0, h, std::size_t{2000});
  CHECK(std::log(std::hypot(x[0], x[1])) / (2000 * h) == Approx(std::pow(w, 4) * std::pow(h, 3) / 8).epsilon(0.02));
}

TEST_CASE("Heun follows the Stratonovich solution of multiplicative noise with strong order 1 (400 paths)") {
  const double coarse = path_error(16), fine = path_error(64);
  CHECK(std::log2(coarse / fine) / 2 == Approx(1.0).margin(0.15));
  CHECK(fine < 0.05);  // the Ito solution is off by a factor exp(1/2)
}

TEST_CASE("a delay line hands out the past in order") {
  DelayLine<int> line(3, -1);
  for (int i = 0; i < 10; ++i) line.push(i);
  for (Index back = 0; back <= 3; ++back) CHECK(line.ago(back) == 9 - back);
  CHECK(line.steps() == 3);
  DelayLine<int> none(0, 5);
  none.push(6);
  CHECK(none.ago(0) == 6);
}

}  // namespace lightloop
