// Mackey-Glass by the stepper against a loop written by hand with the same method, hence the same error. Goal: at most
// 1.5 times its time.
#include <benchmark/benchmark.h>

#include <array>
#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <vector>

#include "core/ode/delay_runge_kutta.hpp"

using namespace lightloop;

namespace {

constexpr int kPerDelay = 34, kSteps = 20000;
constexpr double kStep = 17.0 / kPerDelay;

double rate(double x, double delayed) {
  const double square = delayed * delayed, fourth = square * square;
  return 0.2 * delayed / (1 + fourth * fourth * square) - 0.1 * x;
}

void mackey_glass_stepper(benchmark::State& state) {
  using One = std::array<double, 1>;
  for (auto _ : state) {
    One x{1.2};
    boost::numeric::odeint::integrate_n_steps(
        DelayRungeKutta4<One>(17, kStep, x),
        [](const One& y, const One& delayed, One& dydt, double) { dydt[0] = rate(y[0], delayed[0]); }, x, 0.0, kStep,
        std::size_t{kSteps});
    benchmark::DoNotOptimize(x);
    state.counters["x"] = x[0];
  }
  state.SetItemsProcessed(state.iterations() * kSteps);
}

void mackey_glass_by_hand(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<double> past(kPerDelay + 1, 1.2), slope(kPerDelay + 1, 0.0);
    double x = 1.2;
    int now = kPerDelay, first = kPerDelay;  // steps until the slope's jump at 0 has passed
    for (int n = 0; n < kSteps; ++n) {
      const int old = now == kPerDelay ? 0 : now + 1, next = old == kPerDelay ? 0 : old + 1;
      const double k1 = rate(x, past[std::size_t(old)]);
      slope[std::size_t(now)] = k1;
      const double end = --first == 0 ? 0.0 : slope[std::size_t(next)];
      const double middle =
          0.5 * (past[std::size_t(old)] + past[std::size_t(next)]) + 0.125 * kStep * (slope[std::size_t(old)] - end);
      const double k2 = rate(x + 0.5 * kStep * k1, middle), k3 = rate(x + 0.5 * kStep * k2, middle);
      const double k4 = rate(x + kStep * k3, past[std::size_t(next)]);
      x += kStep / 6 * (k1 + 2 * (k2 + k3) + k4);
      now = old;
      past[std::size_t(now)] = x;
    }
    benchmark::DoNotOptimize(x);
    state.counters["x"] = x;
  }
  state.SetItemsProcessed(state.iterations() * kSteps);
}

BENCHMARK(mackey_glass_stepper);
BENCHMARK(mackey_glass_by_hand);

}  // namespace
