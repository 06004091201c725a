#include "core/ode/rotating_heun.hpp"

#include <array>
#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/ode/euler_maruyama.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

using One = std::array<double, 1>;
using Complex = std::complex<double>;
using Field = std::array<Complex, 1>;
using boost::numeric::odeint::integrate_n_steps;

/// Growth per unit time of |x| under x' = i w x.
template <class Stepper>
double growth(Stepper stepper, double w, double h) {
  std::array<double, 2> x{1, 0};
  const auto rotation = [&](const auto& y, auto& dydt, double) { dydt = {-w * y[1], w * y[0]}; };
  integrate_n_steps(stepper, rotation, x, 0.0, h, std::size_t{2000});
  return std::log(std::hypot(x[0], x[1])) / (2000 * h);
}

/// A laser without carriers, x' = i w x + (1 - |x|^2) x + 0.3, at t = 2, w = 20.
Complex driven(int steps) {
  const double w = 20, h = 2.0 / steps;
  Field x{Complex(0.5, 0.1)};
  const auto rest = [&](const Field& y, Field& dydt, double) { dydt[0] = (1 - std::norm(y[0])) * y[0] + 0.3; };
  integrate_n_steps(RotatingHeun<Field>(Field{Complex(0, w)}), rest, x, 0.0, h, static_cast<std::size_t>(steps));
  return x[0];
}

/// Strong error at t = 1 of dX = a X dt + b X dW (Ito), mean over 400 paths of |X - exp((a - b^2/2) t + b W)|.
double euler_path_error(int steps) {
  constexpr int kPaths = 400, kFinest = 1024;
  const Stream stream(18, 0, Purpose::user);
  const double h = 1.0 / steps, a = 0.5, b = 0.5;
  double sum = 0;
  for (int path = 0; path < kPaths; ++path) {
    One x{1.0};
    double w = 0;
    std::vector<float> finest(kFinest);
    stream.normal(static_cast<std::uint64_t>(path), 0, finest);
    for (int n = 0; n < steps; ++n) {
      double dw = 0;
      for (int k = n * kFinest / steps; k < (n + 1) * kFinest / steps; ++k)
        dw += static_cast<double>(finest[static_cast<std::size_t>(k)]) / std::sqrt(kFinest);
      w += dw;
      const StochasticSystem system{[&](const One& y, One& dxdt, double) { dxdt[0] = a * y[0]; },
                                    [&](const One& y, One& noise, double) { noise[0] = b * y[0] * dw; }};
      EulerMaruyama<One>().do_step(system, x, n * h, h);
    }
    sum += std::abs(x[0] - std::exp(a - b * b / 2 + b * w));
  }
  return sum / kPaths;
}

/// E[X] and E[X^2] of dX = a X dt + b X dW at t = 1 by exact recursion of one step's moments: the weak error without
/// sampling noise. X' = X (1 + a h + b dW) for Euler.
double euler_weak_error(int steps) {
  const double h = 1.0 / steps, a = 0.5, b = 0.5;
  return std::pow((1 + a * h) * (1 + a * h) + b * b * h, steps) - std::exp(2 * a + b * b);
}

}  // namespace

TEST_CASE("a rotation grows by w^2 h / 2 under Euler and not at all where it is exact") {
  CHECK(growth(EulerMaruyama<std::array<double, 2>>(), 2, 0.005) == Approx(4 * 0.005 / 2).epsilon(0.02));
  Field x{1.0};
  const auto nothing = [](const Field&, Field& dydt, double) { dydt[0] = 0; };
  const double w = 200, h = 0.01;
  integrate_n_steps(RotatingHeun<Field>(Field{Complex(0, w)}), nothing, x, 0.0, h, std::size_t{1000});
  CHECK(std::abs(x[0] - std::polar(1.0, w * h * 1000)) < 1e-11);
}

TEST_CASE("exact rotation keeps order 2 on a driven nonlinear field") {
  const Complex exact = driven(1 << 15);
  const double coarse = std::abs(driven(200) - exact), fine = std::abs(driven(1600) - exact);
  INFO("errors " << coarse << ", " << fine);
  CHECK(std::log2(coarse / fine) / 3 == Approx(2.0).margin(0.05));
}

TEST_CASE("exact rotation with noise has the stationary variance of the Ornstein-Uhlenbeck process (n about 1e4)") {
  // dx = (i w - 1) x dt + s dW, rotation exact, damping by Heun: <|x|^2> = s^2 (per component s^2 / 2)
  const double w = 50, h = 0.01;
  const Stream stream(19, 0, Purpose::user);
  RotatingHeun<Field> stepper(Field{Complex(0, w)});
  Field x{0.0};
  double sum = 0;
  const int steps = 1000000;
  std::vector<float> z(2000);
  for (int n = 0; n < steps; ++n) {
    if (n % 1000 == 0) stream.normal(static_cast<std::uint64_t>(n / 1000), 0, z);
    const auto at = static_cast<std::size_t>(2 * (n % 1000));
    const StochasticSystem system{[](const Field& y, Field& dydt, double) { dydt[0] = -y[0]; },
                                  [&](const Field&, Field& noise, double) {
                                    noise[0] = std::sqrt(h) * Complex(double(z[at]), double(z[at + 1]));
                                  }};
    stepper.do_step(system, x, n * h, h);
    sum += std::norm(x[0]);
  }
  // |x|^2 decorrelates at rate 2: 1e4 time units hold 1e4 independent values of relative sd 1; 4 sd
  CHECK(sum / steps == Approx(1.0).epsilon(0.04));
}

TEST_CASE("Euler-Maruyama has strong order 1/2 for multiplicative noise (400 paths) and weak order 1") {
  const double coarse = euler_path_error(16), fine = euler_path_error(1024);
  CHECK(std::log2(coarse / fine) / 6 == Approx(0.5).margin(0.1));
  CHECK(std::log2(euler_weak_error(16) / euler_weak_error(256)) / 4 == Approx(1.0).margin(0.05));
  // and the stepper has the moments of that recursion: mean of (1 + a h + b dW)^2 over +-sqrt(h) is its second moment
  double square = 0;
  for (const double sign : {-1.0, 1.0}) {
    One x{1.0};
    const double h = 0.25;
    const StochasticSystem system{
        [](const One& y, One& dxdt, double) { dxdt[0] = 0.5 * y[0]; },
        [&](const One& y, One& noise, double) { noise[0] = 0.5 * y[0] * sign * std::sqrt(h); }};
    EulerMaruyama<One>().do_step(system, x, 0, h);
    square += x[0] * x[0] / 2;
  }
  CHECK(square == Approx(1.125 * 1.125 + 0.0625));
}

}  // namespace lightloop
