#include "sim/memory/pulsed_pair.hpp"

#include <catch2/catch.hpp>
#include <cmath>

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

const Stream kPlus(3, 0, Purpose::user), kMinus(3, 1, Purpose::user), kCycles(3, 2, Purpose::user);

double nominal(Kind kind, double step, int pulses) {
  return kind == Kind::constant_step ? std::min(1.0, pulses * step) : 1 - std::pow(1 - step, pulses);
}

}  // namespace

TEST_CASE("pulses raise the side of their sign alone, and a pair to and fro saturates where its sides do") {
  for (const Kind kind : {Kind::constant_step, Kind::soft_bounds}) {
    PulsedPairs pair(equal_cells(kind, 0.01, 0), 1, 1, kPlus, kMinus);
    std::uint64_t row = 0;
    int up = 0, down = 0;
    const auto pulse = [&](std::int32_t n) {
      pair.pulse(all(1, 1, n), kCycles, row++);
      (n > 0 ? up : down) += std::abs(n);
      CHECK(double(pair.plus()(0, 0)) == Approx(nominal(kind, 0.01, up)).margin(1e-6));
      CHECK(double(pair.minus()(0, 0)) == Approx(nominal(kind, 0.01, down)).margin(1e-6));
      CHECK(pair.weights()(0, 0) == pair.plus()(0, 0) - pair.minus()(0, 0));
      CHECK(pair.common(0, 0) == std::min(pair.plus()(0, 0), pair.minus()(0, 0)));
    };
    pulse(30);
    pulse(-50);
    for (int k = 0; k < 40; ++k) pulse(k % 2 == 0 ? 40 : -40);
    CHECK(std::abs(pair.weights()(0, 0)) < 1e-3);  // both at their bound: nothing moves any more
    const float before = pair.weights()(0, 0);
    pulse(100);
    CHECK(std::abs(pair.weights()(0, 0) - before) < 1e-3);
    pair.erase(0, 0);
    CHECK((pair.plus()(0, 0) == 0 && pair.minus()(0, 0) == 0 && pair.weights()(0, 0) == 0));
  }
}

// Null: one pulse changes w by step (constant_step) or step (1 - g / b) (soft_bounds), with sd noise times that, spread
// over cells included as step_spread; up and down alike. Two-sided, n 10000 pairs, alpha 1e-3 each.
TEST_CASE("a pulse moves a pair by what is left of the side it raises") {
  for (const Kind kind : {Kind::constant_step, Kind::soft_bounds})
    for (const std::int32_t sign : {1, -1}) {
      PulsedModel model = equal_cells(kind, 1e-3, 0.3);
      model.step_spread = 0.2;
      PulsedPairs pairs(model, 100, 100, kPlus, kMinus);
      Matrix<float> plus(100, 100), minus(100, 100);
      std::ranges::fill(plus.flat(), 0.4f);
      std::ranges::fill(minus.flat(), 0.25f);
      pairs.set(plus, minus);
      const Matrix<float> before = pairs.weights();
      pairs.pulse(all(100, 100, sign), kCycles, 5000);
      std::vector<double> moved;
      for (Index i = 0; i < before.size(); ++i)
        moved.push_back(double(pairs.weights().data()[i]) - double(before.data()[i]));
      double mean = 0, square = 0;
      for (const double m : moved) mean += m / 1e4;
      for (const double m : moved) square += (m - mean) * (m - mean) / 1e4;
      const double left = kind == Kind::constant_step ? 1 : sign > 0 ? 0.6 : 0.75, step = 1e-3 * left;
      const double spread = std::sqrt(0.2 * 0.2 + 0.3 * 0.3 * (1 + 0.2 * 0.2));
      INFO(left << " " << sign);
      CHECK(std::abs(mean - sign * step) < 3.29 * step * spread / 100);
      CHECK(std::abs(std::sqrt(square) / (step * spread) - 1) < 3.29 * std::sqrt(1.5 / 1e4));
    }
}

TEST_CASE("nominal pulses take pairs to their weights from wherever their sides are, and no side falls below 0") {
  for (const Kind kind : {Kind::constant_step, Kind::soft_bounds}) {
    PulsedPairs pairs(equal_cells(kind, 1e-3, 0), 8, 8, kPlus, kMinus);
    Matrix<float> plus(8, 8), minus(8, 8), target(8, 8);
    Stream(4, 0, Purpose::user).uniform(0, 0, plus.flat());
    Stream(4, 0, Purpose::user).uniform(1, 0, minus.flat());
    Stream(4, 0, Purpose::user).uniform(2, 0, target.flat());
    for (Index i = 0; i < 64; ++i) {
      plus.data()[i] *= 0.3f;
      minus.data()[i] *= 0.3f;
      target.data()[i] = 1.2f * target.data()[i] - 0.6f;
    }
    pairs.set(plus, minus);
    Matrix<std::int32_t> counts(8, 8);
    pairs.nominal_pulses(target, counts);
    pairs.pulse(counts, kCycles, 0);
    for (Index i = 0; i < 64; ++i) CHECK(std::abs(pairs.weights().data()[i] - target.data()[i]) < 0.51e-3f);
    PulsedPairs noisy(equal_cells(kind, 1e-3, 5), 50, 50, kPlus, kMinus);
    for (std::uint64_t k = 0; k < 4; ++k) noisy.pulse(all(50, 50, k % 2 == 0 ? 1 : -1), kCycles, 100 * k);
    for (const float g : noisy.plus().flat()) CHECK(g >= 0);
    for (const float g : noisy.minus().flat()) CHECK(g >= 0);
  }
}

}  // namespace lightloop
