// Member-steps of the spin-flip laser with noise, feedback and injection: an ensemble of 64 against one laser at a
// time, and against its normal deviates alone. Goals, per member-step: ensemble >= 5 (double) and >= 12 (single
// precision) times faster than the plain scalar path, and at most twice the time of the deviates.
#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/ode/delay_line.hpp"
#include "core/ode/rotating_heun.hpp"
#include "core/random_side_by_side.hpp"
#include "core/threads.hpp"
#include "sim/lasers/spin_flip.hpp"

using namespace lightloop;

namespace {

constexpr Index kMembers = 64, kSteps = 20, kRounds = 200, kDelay = 4000;  // 20 ps samples, 4 ns of feedback

LaserModel laser() {
  LaserModel m;
  m.spontaneous = 1e-5;
  m.feedback_rate = 15e9;
  m.injection_rate = 20e9;
  m.detuning_hz = 2e9;
  return m;
}

LaserGrid grid(bool single) { return {.delay_steps = kDelay, .two_polarisations = true, .single_precision = single}; }

void count(benchmark::State& state, Index members, Index steps) {
  state.SetItemsProcessed(state.iterations() * members * steps);
}

/// Ensemble as the device runs it: 16 members at a time share their deviates.
void ensemble(benchmark::State& state, bool single, bool noise, int thread_count) {
  const LaserGrid g = grid(single);
  const int lanes = vector_lanes(g), packs = static_cast<int>(kSide) / lanes;
  std::vector<std::unique_ptr<Lasers>> lasers;
  std::vector<SideBySide> sources;
  for (Index first = 0; first < kMembers; first += lanes) {
    lasers.push_back(make_lasers(g, lanes));
    for (int lane = 0; lane < lanes; ++lane) {
      lasers.back()->set(lane, laser());
      lasers.back()->reset(lane, 1.5);
    }
  }
  for (Index b = 0; b < kMembers / Index(kSide); ++b)
    sources.emplace_back(1, static_cast<std::uint64_t>(b) * kSide, Purpose::laser_spontaneous);
  const std::array<double, kSide> pump = [] {
    std::array<double, kSide> p;
    p.fill(1.5);
    return p;
  }();
  set_threads(thread_count);
  std::uint64_t row = 0;
  for (auto _ : state) {
    parallel_for(kMembers / Index(kSide), [&](Index b) {
      alignas(64) std::array<float, kSteps * kDeviates * kSide> normals;
      std::array<double, kSide> x, y;
      for (Index round = 0; round < kRounds; ++round) {
        if (noise) sources[std::size_t(b)].members(row + std::uint64_t(round * kSteps), normals);
        for (int p = 0; p < packs; ++p)
          lasers[std::size_t(b * packs + p)]->advance(kSteps, pump.data(), pump.data(),
                                                      noise ? normals.data() + p * lanes : nullptr, Index(kSide),
                                                      x.data(), y.data());
        benchmark::DoNotOptimize(x);
      }
    });
    row += kRounds * kSteps;
  }
  count(state, kMembers, kRounds * kSteps);
  set_threads(1);
}

void ensemble_double(benchmark::State& state) { ensemble(state, false, true, 1); }
void ensemble_single(benchmark::State& state) { ensemble(state, true, true, 1); }
void ensemble_double_two_threads(benchmark::State& state) { ensemble(state, false, true, 2); }
void ensemble_single_two_threads(benchmark::State& state) { ensemble(state, true, true, 2); }
void ensemble_double_without_noise(benchmark::State& state) { ensemble(state, false, false, 1); }
void ensemble_single_without_noise(benchmark::State& state) { ensemble(state, true, false, 1); }

/// The deviates of the ensemble alone.
void deviates(benchmark::State& state) {
  std::vector<SideBySide> sources;
  for (Index b = 0; b < kMembers / Index(kSide); ++b)
    sources.emplace_back(1, static_cast<std::uint64_t>(b) * kSide, Purpose::laser_spontaneous);
  alignas(64) std::array<float, kSteps * kDeviates * kSide> normals;
  std::uint64_t row = 0;
  for (auto _ : state) {
    for (const SideBySide& source : sources)
      for (Index round = 0; round < kRounds; ++round) {
        source.members(row + std::uint64_t(round * kSteps), normals);
        benchmark::DoNotOptimize(normals);
      }
    row += kRounds * kSteps;
  }
  count(state, kMembers, kRounds * kSteps);
}

/// One laser as the device runs it: its deviates are made 16 steps at a time.
void one_laser(benchmark::State& state) {
  const auto one = make_lasers(grid(false), 1);
  one->set(0, laser());
  one->reset(0, 1.5);
  const SideBySide source(1, 0, Purpose::laser_spontaneous);
  std::array<float, kSteps * kDeviates> normals;
  const double pump = 1.5;
  double x, y;
  std::uint64_t row = 0;
  for (auto _ : state) {
    for (Index round = 0; round < kRounds; ++round, row += kSteps) {
      source.one(row, normals);
      one->advance(kSteps, &pump, &pump, normals.data(), 1, &x, &y);
      benchmark::DoNotOptimize(x);
    }
  }
  count(state, 1, kRounds * kSteps);
}

/// The plain scalar path: the same laser written as a system for the stepper of core/ode, deviates drawn one by one.
void plain_scalar(benchmark::State& state) {
  using Complex = std::complex<double>;
  using State = std::array<Complex, 4>;  // Ex, Ey, N, n
  const LaserModel m = laser();
  const double h = 1e-12, k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s,
               delta = 2 * std::numbers::pi * m.detuning_hz;
  const double b = m.birefringence_rad_per_s, mu = 1.5;
  const Complex gain(k, k * m.alpha), feedback = std::polar(m.feedback_rate, -delta * h * kDelay);
  RotatingHeun<State> stepper(State{Complex(0, -b - delta), Complex(0, b - delta), 0.0, -m.spin_rate});
  using Pair = std::array<Complex, 2>;
  DelayLine<Pair> past(kDelay, Pair{});
  const Stream stream(1, 0, Purpose::laser_spontaneous);
  State x{std::sqrt(0.5), 1e-4, 1.0, 0.0};
  std::uint64_t row = 0;
  double start = 0;
  const auto times = [](Complex p, Complex q) {
    return Complex(p.real() * q.real() - p.imag() * q.imag(), p.real() * q.imag() + p.imag() * q.real());
  };
  const auto drift = [&](const State& s, State& d, double t) {
    const Pair& then = past.ago(t > start ? kDelay - 1 : kDelay);
    const double carriers = s[2].real(), spin = s[3].real(), intensity = std::norm(s[0]) + std::norm(s[1]);
    const double cross = 2 * (s[0].imag() * s[1].real() - s[0].real() * s[1].imag());
    d[0] = times(gain, (carriers - 1) * s[0] + Complex(-spin * s[1].imag(), spin * s[1].real())) +
           times(feedback, then[0]) + m.injection_rate * 1.5;
    d[1] = times(gain, (carriers - 1) * s[1] - Complex(-spin * s[0].imag(), spin * s[0].real())) +
           times(feedback, then[1]);
    d[2] = g * (mu - carriers * (1 + intensity) - spin * cross);
    d[3] = -g * (spin * intensity + carriers * cross);
  };
  double xi[4];
  const auto noise = [&](const State& s, State& increment, double) {
    const double c = m.spontaneous * g * h / 2, carriers = s[2].real(), spin = s[3].real();
    const double up = std::sqrt(std::max(c * (carriers + spin), 0.0)),
                 down = std::sqrt(std::max(c * (carriers - spin), 0.0));
    increment[0] = Complex(up * xi[0] + down * xi[2], up * xi[1] + down * xi[3]);
    increment[1] = Complex(up * xi[1] - down * xi[3], down * xi[2] - up * xi[0]);
    increment[2] = increment[3] = 0;
  };
  const StochasticSystem system{drift, noise};
  for (auto _ : state) {
    for (Index n = 0; n < kRounds * kSteps; ++n, ++row) {
      for (std::uint64_t c = 0; c < 4; ++c) xi[c] = stream.normal(row, c);
      start = static_cast<double>(row) * h;
      stepper.do_step(system, x, start, h);
      past.push({x[0], x[1]});
    }
    benchmark::DoNotOptimize(x);
  }
  count(state, 1, kRounds * kSteps);
  state.counters["intensity"] = std::norm(x[0]) + std::norm(x[1]);
}

BENCHMARK(plain_scalar);
BENCHMARK(one_laser);
BENCHMARK(deviates);
BENCHMARK(ensemble_double);
BENCHMARK(ensemble_single);
BENCHMARK(ensemble_double_without_noise);
BENCHMARK(ensemble_single_without_noise);
BENCHMARK(ensemble_double_two_threads)->UseRealTime();
BENCHMARK(ensemble_single_two_threads)->UseRealTime();

}  // namespace
