#pragma once
// What every layer must pass: its derivative against finite differences, equal bits for any threads and batch.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"
#include "core/threads.hpp"
#include "training/layers/layers.hpp"

namespace lightloop::test {

inline Matrix<float> normal_matrix(Index rows, Index cols, std::uint64_t seed) {
  Matrix<float> m(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r) stream.normal(static_cast<std::uint64_t>(r), 0, m.row(r));
  return m;
}

/// A layer with parameters, state and a batch of normal numbers.
struct Bench {
  Bench(LayerPointer tested, Index rows, std::uint64_t seed = 1)
      : layer(std::move(tested)),
        parameters(1, layer->parameters()),
        state(1, layer->state()),
        x(normal_matrix(rows, layer->inputs(), seed + 1)),
        y(rows, layer->outputs()) {
    layer->initialise(seed, 3, parameters.flat());
    layer->initialise_state(state.flat());
    // biases and gains must not be 0 or 1, or a mistake in them would not show
    const Matrix<float> more = normal_matrix(1, parameters.cols(), seed + 2);
    for (std::size_t i = 0; i < parameters.flat().size(); ++i) parameters.flat()[i] += 0.2f * more.flat()[i];
  }
  LayerInput in() const { return {parameters.flat(), state.flat(), x.view()}; }
  void forward() { layer->forward(pass, in(), y, memory); }

  LayerPointer layer;
  LayerPass pass{.training = true, .seed = 5, .first_sample = 100, .instance = 3};
  Matrix<float> parameters, state, x, y;
  LayerMemory memory, work;
};

/// sum of weight * y, in double.
inline double weighted(Bench& bench, const Matrix<float>& weight) {
  bench.forward();
  double sum = 0;
  for (std::size_t i = 0; i < weight.flat().size(); ++i)
    sum += static_cast<double>(weight.flat()[i]) * static_cast<double>(bench.y.flat()[i]);
  return sum;
}

/// Every entry of dx and dparameters against central differences; `margin` is relative to the largest entry. The step
/// 1e-2 leaves an error of some 1e-4 by curvature and 1e-5 by rounding.
inline void check_derivative(Bench& bench, double margin = 2e-3, bool of_x = true) {
  const Matrix<float> weight = normal_matrix(bench.y.rows(), bench.y.cols(), 77);
  bench.forward();
  const Matrix<float> y = bench.y;
  Matrix<float> dx = normal_matrix(bench.x.rows(), bench.x.cols(), 78);  // must be overwritten
  Matrix<float> dp = normal_matrix(1, bench.parameters.cols(), 79);
  bench.layer->vjp(bench.in(), y, bench.memory, weight, dx, dp.flat(), bench.work);
  const auto compare = [&](Matrix<float>& values, const Matrix<float>& slopes, const std::string& what) {
    double largest = 1e-3;
    for (const float v : slopes.flat()) largest = std::max(largest, std::fabs(static_cast<double>(v)));
    double worst = 0;
    for (std::size_t i = 0; i < values.flat().size(); ++i) {
      const float before = values.flat()[i], up = before + 1e-2f, down = before - 1e-2f;
      values.flat()[i] = up;
      const double above = weighted(bench, weight);
      values.flat()[i] = down;
      const double below = weighted(bench, weight);
      values.flat()[i] = before;
      const double slope = (above - below) / (static_cast<double>(up) - static_cast<double>(down));
      worst = std::max(worst, std::fabs(slope - static_cast<double>(slopes.flat()[i])) / largest);
    }
    INFO(bench.layer->text() << ": d" << what << ", worst difference over the largest entry " << worst);
    CHECK(worst < margin);
  };
  if (of_x) compare(bench.x, dx, "x");
  compare(bench.parameters, dp, "parameters");
  bench.forward();
  Matrix<float> alone(bench.x.rows(), bench.x.cols());
  bench.layer->vjp(bench.in(), bench.y, bench.memory, weight, alone, {}, bench.work);
  CHECK(std::ranges::equal(alone.flat(), dx.flat()));
}

/// Equal bits with one and two threads (forward, dx, dparameters), and rows that do not know their batch.
inline void check_bits(Bench& bench, bool rows_alone = true) {
  const Matrix<float> weight = normal_matrix(bench.y.rows(), bench.y.cols(), 77);
  Matrix<float> dx(bench.x.rows(), bench.x.cols()), dp(1, bench.parameters.cols());
  const auto run = [&](int count) {
    set_threads(count);
    bench.forward();
    bench.layer->vjp(bench.in(), bench.y, bench.memory, weight, dx, dp.flat(), bench.work);
  };
  run(1);
  const Matrix<float> y = bench.y, first_dx = dx, first_dp = dp;
  run(2);
  CHECK(std::ranges::equal(y.flat(), bench.y.flat()));
  CHECK(std::ranges::equal(first_dx.flat(), dx.flat()));
  CHECK(std::ranges::equal(first_dp.flat(), dp.flat()));
  if (!rows_alone) return;
  const Index last = bench.x.rows() - 1;
  Matrix<float> one(1, bench.y.cols());
  LayerPass pass = bench.pass;
  pass.first_sample += static_cast<std::uint64_t>(last);
  LayerMemory memory;
  bench.layer->forward(pass, {bench.parameters.flat(), bench.state.flat(), bench.x.view().rows(last, 1)}, one, memory);
  CHECK(std::ranges::equal(one.row(0), std::as_const(y).row(last)));
}

}  // namespace lightloop::test
