#include "training/readout.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

using namespace lightloop;

namespace {

Matrix<double> normal(Index rows, Index cols, std::uint64_t seed) {
  Matrix<double> m(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      m(r, c) = stream.normal(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(c));
  return m;
}

/// y = x w + 5 + noise, with features far from zero.
struct Linear {
  Matrix<double> x, y;
  Linear(Index rows, double noise, std::uint64_t seed) : x(normal(rows, 4, seed)), y(normal(rows, 1, seed + 100)) {
    for (Index t = 0; t < rows; ++t) {
      x(t, 1) = 100 + 1e-3 * x(t, 1);
      x(t, 3) = 7;  // stands still
      y(t, 0) = noise * y(t, 0) + 5 + 2 * x(t, 0) - 3e3 * (x(t, 1) - 100) + 0.5 * x(t, 2);
    }
  }
};

}  // namespace

TEST_CASE("without noise and ridge the read-out is the exact solution") {
  const Linear data(500, 0, 1), fresh(100, 0, 2);
  RidgeTrainer trainer(4, 1);
  trainer.add(data.x, data.y);
  const double none[] = {0.0};
  const LinearReadout readout = trainer.solve(none);
  CHECK(readout.weights(0, 0) == Approx(2).epsilon(1e-9));
  CHECK(readout.weights(1, 0) == Approx(-3e3).epsilon(1e-6));
  CHECK(readout.weights(2, 0) == Approx(0.5).epsilon(1e-9));
  CHECK(readout.weights(3, 0) == 0);
  const auto p = readout.predict(fresh.x);
  for (Index t = 0; t < 100; ++t) CHECK(p(t, 0) == Approx(fresh.y(t, 0)).margin(1e-6));
}

TEST_CASE("a ridge of r shrinks a lone standardised feature by 1 / (1 + r)") {
  Matrix<double> x = normal(300, 1, 3), y(300, 1);
  for (Index t = 0; t < 300; ++t) y(t, 0) = 4 * x(t, 0) + 1;
  RidgeTrainer trainer(1, 1);
  trainer.add(x, y);
  const double ridge[] = {0.25};
  CHECK(trainer.solve(ridge).weights(0, 0) == Approx(4 / 1.25).epsilon(1e-12));
}

TEST_CASE("bits do not depend on how rows are cut into calls") {
  const Linear data(1000, 1, 4);
  RidgeTrainer whole(4, 1), cut(4, 1);
  whole.add(data.x, data.y);
  for (Index first = 0; first < 1000; first += 33) {
    const Index n = std::min<Index>(33, 1000 - first);
    cut.add(data.x.view().rows(first, n), data.y.view().rows(first, n));
  }
  const double ridge[] = {1e-3};
  const auto a = whole.solve(ridge), b = cut.solve(ridge);
  for (Index i = 0; i < 4; ++i) CHECK(a.weights(i, 0) == b.weights(i, 0));
  CHECK(a.offset == b.offset);
}

TEST_CASE("validation picks the ridge that predicts best, and its NMSE is the true one") {
  Matrix<double> x = normal(60, 50, 5), y(60, 1), v = normal(400, 50, 6), w(400, 1);
  const Stream noise(7, 0, Purpose::user);
  for (Index t = 0; t < 60; ++t) y(t, 0) = x(t, 0) + noise.normal(0, static_cast<std::uint64_t>(t));
  for (Index t = 0; t < 400; ++t) w(t, 0) = v(t, 0) + noise.normal(1, static_cast<std::uint64_t>(t));
  RidgeTrainer trainer(50, 1);
  trainer.add(x, y);
  trainer.add_validation(v, w);
  const std::vector<double> ridges = {1e-8, 1, 1e4};
  const auto readout = trainer.solve(ridges);
  CHECK(readout.ridge == 1);  // 50 weights from 60 noisy rows: neither none nor an overwhelming one
  for (std::size_t i = 0; i < ridges.size(); ++i) {
    RidgeTrainer alone(50, 1);
    alone.add(x, y);
    const auto p = alone.solve(std::span(ridges).subspan(i, 1)).predict(v);
    double error = 0, mean = 0, variance = 0;
    for (Index t = 0; t < 400; ++t) mean += w(t, 0) / 400;
    for (Index t = 0; t < 400; ++t) {
      error += (w(t, 0) - p(t, 0)) * (w(t, 0) - p(t, 0));
      variance += (w(t, 0) - mean) * (w(t, 0) - mean);
    }
    CHECK(readout.validation_nmse[i] == Approx(error / variance).epsilon(1e-8));
  }
}

TEST_CASE("impossible read-outs are refused") {
  CHECK_THROWS_AS(RidgeTrainer(0, 1), OutOfRange);
  RidgeTrainer trainer(2, 1);
  const double one[] = {1e-3}, two[] = {1e-3, 1e-2}, negative[] = {-1.0};
  CHECK_THROWS_AS(trainer.solve(one), InvalidParameter);
  trainer.add(normal(10, 2, 1), normal(10, 1, 2));
  CHECK_THROWS_AS(trainer.solve(two), InvalidParameter);  // nothing to choose by
  CHECK_THROWS_AS(trainer.solve(negative), OutOfRange);
  CHECK_THROWS_AS(trainer.add(normal(10, 3, 1), normal(10, 1, 2)), ShapeMismatch);
  auto bad = normal(10, 2, 1);
  bad(3, 1) = std::nan("");
  CHECK_THROWS_AS(trainer.add(bad, normal(10, 1, 2)), InvalidParameter);
}
