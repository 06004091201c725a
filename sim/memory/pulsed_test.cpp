#include "sim/memory/pulsed.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/stats.hpp"

namespace lightloop {
namespace {

using Kind = PulsedModel::Kind;

Matrix<std::int32_t> all(Index rows, Index cols, std::int32_t n) {
  Matrix<std::int32_t> counts(rows, cols);
  std::ranges::fill(counts.flat(), n);
  return counts;
}

PulsedModel equal_cells(Kind kind, double step, double noise) {
  return {.kind = kind, .step = step, .step_spread = 0, .asymmetry_spread = 0, .bound_spread = 0, .cycle_noise = noise};
}

const Stream kMade(3, 0, Purpose::user), kCycles(3, 1, Purpose::user);

}  // namespace

TEST_CASE("pulses without noise: equal steps up to the bound, or a constant part of what is left") {
  PulsedCells constant(equal_cells(Kind::constant_step, 0.01, 0), 1, 1, kMade);
  constant.pulse(all(1, 1, 30), kCycles, 0);
  CHECK(constant.weights()(0, 0) == Approx(0.3));
  constant.pulse(all(1, 1, -50), kCycles, 0);
  CHECK(constant.weights()(0, 0) == Approx(-0.2));
  constant.pulse(all(1, 1, -500), kCycles, 0);
  CHECK(constant.weights()(0, 0) == -1);
  PulsedCells soft(equal_cells(Kind::soft_bounds, 0.01, 0), 1, 1, kMade);
  soft.pulse(all(1, 1, 30), kCycles, 0);
  const double up = 1 - std::pow(0.99, 30);
  CHECK(soft.weights()(0, 0) == Approx(up));
  soft.pulse(all(1, 1, -20), kCycles, 0);
  CHECK(soft.weights()(0, 0) == Approx(-1 + (1 + up) * std::pow(0.99, 20)));
  CHECK_THROWS_AS(soft.pulse(all(2, 1, 1), kCycles, 0), ShapeMismatch);
}

// Null: forty pulses in one call have mean and variance of forty calls with one pulse each. Two-sided, alpha 1e-3, n
// 10000 cells; the variance's error from its kurtosis is within the normal one for these sums.
TEST_CASE("many pulses in one call are in law what they are one by one, for both kinds") {
  for (const Kind kind : {Kind::constant_step, Kind::soft_bounds}) {
    PulsedCells together(equal_cells(kind, 5e-3, 2), 100, 100, kMade);
    PulsedCells single(equal_cells(kind, 5e-3, 2), 100, 100, kMade);
    together.pulse(all(100, 100, 40), kCycles, 0);
    for (std::uint64_t p = 0; p < 40; ++p) single.pulse(all(100, 100, 1), kCycles, 1000 * (p + 1));
    const Moments a = moments(together.weights().flat()), b = moments(single.weights().flat());
    INFO("mean " << a.mean << " " << b.mean << ", variance " << a.variance << " " << b.variance);
    CHECK(std::abs(a.mean - b.mean) < 3.29 * std::sqrt((a.variance + b.variance) / 1e4));
    CHECK(std::abs(a.variance / b.variance - 1) < 3.29 * std::sqrt(4.0 / 1e4));
  }
}

// Null: steps of cells spread by step_spread and asymmetry_spread around the nominal one. Two-sided, alpha 1e-3, n
// 10000.
TEST_CASE("cells differ as they were made, up and down by their asymmetry, and stay as they are") {
  const PulsedModel model{.step = 1e-3, .step_spread = 0.2, .asymmetry_spread = 0.1, .cycle_noise = 0};
  PulsedCells cells(model, 100, 100, kMade);
  cells.pulse(all(100, 100, 10), kCycles, 0);
  const Matrix<float> up = cells.weights();
  cells.pulse(all(100, 100, -10), kCycles, 1);
  const Moments rise = moments(up.flat()), left = moments(cells.weights().flat());
  CHECK(std::abs(rise.mean / 0.01 - 1) < 3.29 * std::sqrt(0.05 / 1e4));
  CHECK(std::abs(rise.variance / (0.01 * 0.01 * 0.05) - 1) < 3.29 * std::sqrt(2.0 / 1e4));
  CHECK(std::abs(left.variance / (0.01 * 0.01 * 4 * 0.01) - 1) < 3.29 * std::sqrt(2.0 / 1e4));  // up - down = 2 tilt
}

TEST_CASE("alternating pulses take a soft-bounds cell to its symmetry point from anywhere") {
  const PulsedModel model{
      .kind = Kind::soft_bounds, .step = 0.01, .step_spread = 0.1, .asymmetry_spread = 0.3, .cycle_noise = 0};
  PulsedCells high(model, 5, 5, kMade), low(model, 5, 5, kMade);
  high.pulse(all(5, 5, 300), kCycles, 0);
  low.pulse(all(5, 5, -300), kCycles, 0);
  for (int n = 0; n < 1000; ++n)
    for (PulsedCells* cells : {&high, &low}) {
      cells->pulse(all(5, 5, 1), kCycles, 0);
      cells->pulse(all(5, 5, -1), kCycles, 0);
    }
  double apart = 0, spread = 0;
  for (Index i = 0; i < 25; ++i) {
    apart = std::max(apart, std::abs(static_cast<double>(high.weights().data()[i] - low.weights().data()[i])));
    spread = std::max(spread, std::abs(static_cast<double>(high.weights().data()[i])));
  }
  CHECK(apart < 1e-4);
  CHECK(spread > 0.05);  // and that point is not 0
}

TEST_CASE("nominal pulses bring nominal cells to their targets, saved cells go on as they were") {
  for (const Kind kind : {Kind::constant_step, Kind::soft_bounds}) {
    PulsedCells cells(equal_cells(kind, 1e-3, 0), 1, 4, kMade), again(equal_cells(kind, 1e-3, 0), 1, 4, kMade);
    Matrix<float> target(1, 4);
    for (Index j = 0; j < 4; ++j) target(0, j) = static_cast<float>(j) / 2 - 0.8f;
    Matrix<std::int32_t> counts(1, 4);
    cells.nominal_pulses(target, counts);
    cells.pulse(counts, kCycles, 0);
    for (Index j = 0; j < 4; ++j) CHECK(std::abs(cells.weights()(0, j) - target(0, j)) < 1.1e-3f);
    again.set(cells.weights());
    cells.pulse(all(1, 4, 7), kCycles, 0);
    again.pulse(all(1, 4, 7), kCycles, 0);
    CHECK(std::ranges::equal(cells.weights().flat(), again.weights().flat()));
  }
}

}  // namespace lightloop
