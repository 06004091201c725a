#include "training/closed_loop.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/fft.hpp"
#include "core/random.hpp"
#include "training/echo_state.hpp"
#include "training/metrics/attractor.hpp"
#include "training/tasks/task.hpp"

using namespace lightloop;

namespace {

Matrix<double> wave(Index rows, double frequency, double phase = 0) {
  Matrix<double> x(rows, 1);
  for (Index t = 0; t < rows; ++t)
    x(t, 0) = std::sin(2 * std::numbers::pi * frequency * static_cast<double>(t) + phase);
  return x;
}

EchoState network(Index inputs) {
  EchoStateSettings settings;
  settings.nodes = 200;
  settings.inputs = inputs;
  settings.connectivity = 0.05;
  settings.input_scaling = 0.5;
  settings.bias_scaling = 0.5;
  settings.spectral_radius = 0.8;
  return EchoState(settings);
}

}  // namespace

TEST_CASE("a reservoir that has learnt a sine goes on with it", "[law]") {
  auto echo = network(1);
  const auto series = wave(1500, 0.02);
  ClosedLoopSettings settings;
  settings.ridge = 1e-8;
  for (const double forcing : {1.0, 0.5}) {
    settings.forcing = forcing;
    const auto readout = train_closed_loop(echo, series.view().rows(0, 1000), settings);
    const auto run = free_run(echo, readout, series.view().rows(0, 1000), 200, settings);
    double worst = 0;
    for (Index t = 0; t < 200; ++t) worst = std::max(worst, std::abs(run(t, 0) - series(1000 + t, 0)));
    INFO(forcing);
    CHECK(worst < 0.05);
  }
}

TEST_CASE("a free-running network follows Lorenz for Lyapunov times and stays on the attractor", "[law]") {
  const Task task = make_task("lorenz63", {{"train", std::int64_t{6000}}, {"test", std::int64_t{4000}}});
  auto echo = network(3);
  ClosedLoopSettings settings;
  settings.scale = 0.05;
  settings.squares = true;
  settings.ridge = 1e-8;
  const auto series = task.inputs.view();
  const auto readout = train_closed_loop(echo, series.rows(0, 6200), settings);
  const auto run = free_run(echo, readout, series.rows(5800, 400), 4000, settings);
  const auto truth = series.rows(6200, 4000);
  const auto time = valid_prediction_time(truth, run, task.step, task.exponent);
  INFO(time.value);
  CHECK(time.value > 2);  // a bare persistence forecast lasts less than 0.2
  CHECK(state_space_divergence(truth, run).value < 2.5);
  if (RealFft::available()) CHECK(power_spectrum_distance(truth, run).value < 0.15);
}

TEST_CASE("measures of attractors: zero for the same series, large for another") {
  const auto one = wave(2000, 0.02), same = wave(2000, 0.02), other = wave(2000, 0.2);
  CHECK(valid_prediction_time(one, same, 0.5, 0).value == 1000);
  CHECK(state_space_divergence(one, same, 20).value == Approx(0).margin(1e-12));
  // an eighth of a turn off at the start: |difference| = 2 sin(pi/8) |cos| is 0.54 of the spread at once
  CHECK(valid_prediction_time(one, wave(2000, 0.02, std::numbers::pi / 4), 1, 0).value == 0);
  Matrix<double> shifted = one;
  for (double& v : shifted.flat()) v += 5;
  CHECK(state_space_divergence(one, shifted, 20).value > 5);
  if (!RealFft::available()) return;
  CHECK(power_spectrum_distance(one, same).value == Approx(0).margin(1e-7));
  CHECK(power_spectrum_distance(one, wave(2000, 0.02, 1)).value < 0.01);
  CHECK(power_spectrum_distance(one, other).value > 0.95);
}

TEST_CASE("two series of white noise differ in spectrum only by chance") {
  if (!RealFft::available()) return;
  Matrix<double> a(4000, 1), b(4000, 1);
  const Stream stream(1, 0, Purpose::user);
  for (Index t = 0; t < 4000; ++t) {
    a(t, 0) = stream.normal(0, static_cast<std::uint64_t>(t));
    b(t, 0) = stream.normal(1, static_cast<std::uint64_t>(t));
  }
  // Each smoothed ordinate averages about 71 exponentials: relative sd 0.12, H^2 = E[(f/g - 1)^2] / 8 = 2 * 0.014 / 8.
  CHECK(power_spectrum_distance(a, b).value == Approx(0.06).margin(0.02));
}

TEST_CASE("impossible closed loops are refused") {
  auto echo = network(1);
  ClosedLoopSettings settings;
  CHECK_THROWS_AS(train_closed_loop(echo, wave(100, 0.02), settings), OutOfRange);
  CHECK_THROWS_AS(train_closed_loop(echo, Matrix<double>(500, 2), settings), ShapeMismatch);
  settings.forcing = 0;
  CHECK_THROWS_AS(train_closed_loop(echo, wave(500, 0.02), settings), OutOfRange);
}
