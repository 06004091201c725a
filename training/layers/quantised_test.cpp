#include "training/layers/quantised.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/layer_checks_for_tests.hpp"
#include "training/layers/model.hpp"

using namespace lightloop;
using test::Bench;

namespace {

struct Slopes {
  Matrix<float> weight, dx, dp;
};

/// dy = weight: what the layer says its derivatives are.
Slopes slopes(Bench& bench) {
  Slopes s{test::normal_matrix(bench.y.rows(), bench.y.cols(), 77), Matrix<float>(bench.x.rows(), bench.x.cols()),
           Matrix<float>(1, bench.parameters.cols())};
  bench.forward();
  bench.layer->vjp(bench.in(), bench.y, bench.memory, s.weight, s.dx, s.dp.flat(), bench.work);
  return s;
}

/// d(sum weight f)/d(value) by central differences, f in double.
template <class F>
double difference(const F& f, double at) {
  const double h = 1e-5;
  return (f(at + h) - f(at - h)) / (2 * h);
}

double half_step(double v) { return v < 0 ? -1 : 1; }

}  // namespace

TEST_CASE("signs have the slopes of the curves that stand for them, against finite differences") {
  Bench straight(sign_layer({30}), 3);
  const Slopes a = slopes(straight);
  Bench periodic(periodic_sign({30}, 5), 3);
  const Slopes b = slopes(periodic);
  for (std::size_t i = 0; i < 90; ++i) {
    const double x = double(straight.x.flat()[i]), g = double(a.weight.flat()[i]);
    CHECK(double(straight.y.flat()[i]) == half_step(x));
    const auto clipped = [](double v) { return std::clamp(v, -1.0, 1.0); };
    CHECK(double(a.dx.flat()[i]) == Approx(g * difference(clipped, x)).margin(1e-5));
    CHECK(double(periodic.y.flat()[i]) == half_step(std::sin(5 * x)));
    const auto wave = [](double v) { return std::sin(5 * v); };
    CHECK(double(b.dx.flat()[i]) == Approx(g * difference(wave, x)).margin(2e-5));
  }
  test::check_bits(straight);
  test::check_bits(periodic);
}

TEST_CASE("binarised inputs: mean size times sign, the scale's slope by differences, the sign's straight through") {
  Bench bench(binarise({20}), 3);
  const Slopes s = slopes(bench);
  for (Index r = 0; r < 3; ++r) {
    double scale = 0;
    for (Index i = 0; i < 20; ++i) scale += std::fabs(double(bench.x(r, i))) / 20;
    for (Index i = 0; i < 20; ++i) {
      CHECK(double(bench.y(r, i)) == Approx(scale * half_step(double(bench.x(r, i)))).epsilon(1e-6));
      double by_scale = 0;  // signs do not change over a small step: what is left is d(scale)
      for (Index k = 0; k < 20; ++k)
        by_scale += double(s.weight(r, k)) * half_step(double(bench.x(r, k))) * half_step(double(bench.x(r, i))) / 20;
      const double through = std::fabs(double(bench.x(r, i))) <= 1 ? scale * double(s.weight(r, i)) : 0;
      CHECK(double(s.dx(r, i)) == Approx(by_scale + through).margin(1e-5));
    }
  }
  test::check_bits(bench);
}

TEST_CASE("binary weights: outputs with two values a row, gradients of the numbers behind them") {
  Bench plain(binary_weights(dense({12}, 5), 5, 12, "binary_dense 5", BinaryWeights::scaled_sign), 4);
  const Slopes s = slopes(plain);
  for (Index o = 0; o < 5; ++o) {
    double scale = 0;
    for (Index i = 0; i < 12; ++i) scale += std::fabs(double(plain.parameters(0, 12 * o + i))) / 12;
    std::vector<double> g(12, 0.0);  // of the binary weights
    for (Index i = 0; i < 12; ++i)
      for (Index r = 0; r < 4; ++r) g[std::size_t(i)] += double(s.weight(r, o)) * double(plain.x(r, i));
    double along = 0;
    for (Index i = 0; i < 12; ++i) along += g[std::size_t(i)] * half_step(double(plain.parameters(0, 12 * o + i)));
    for (Index r = 0; r < 4; ++r) {
      double y = double(plain.parameters(0, 60 + o));
      for (Index i = 0; i < 12; ++i)
        y += scale * half_step(double(plain.parameters(0, 12 * o + i))) * double(plain.x(r, i));
      CHECK(double(plain.y(r, o)) == Approx(y).margin(1e-5));
    }
    for (Index i = 0; i < 12; ++i) {
      const double w = double(plain.parameters(0, 12 * o + i));
      // finite difference of the layer itself: signs stay, the scale moves
      const float before = plain.parameters(0, 12 * o + i), h = 1e-3f * (w < 0 ? -1.0f : 1.0f);
      plain.parameters(0, 12 * o + i) = before + h;
      const double up = test::weighted(plain, s.weight);
      plain.parameters(0, 12 * o + i) = before;
      const double moved = (up - test::weighted(plain, s.weight)) / double(h);
      CHECK(moved == Approx(along / 12 * half_step(w)).margin(2e-2));
      const double through = std::fabs(w) <= 1 ? scale * g[std::size_t(i)] : 0;
      CHECK(double(s.dp(0, 12 * o + i)) == Approx(along / 12 * half_step(w) + through).margin(1e-4));
    }
    double bias = 0;
    for (Index r = 0; r < 4; ++r) bias += double(s.weight(r, o));
    CHECK(double(s.dp(0, 60 + o)) == Approx(bias).margin(1e-5));
  }
  test::check_bits(plain);

  Bench wave(binary_weights(dense({12}, 5), 5, 12, "biper_dense 5 frequency=20", BinaryWeights::periodic, 20), 4);
  const Slopes p = slopes(wave);
  for (Index o = 0; o < 5; ++o)
    for (Index i = 0; i < 12; ++i) {
      double g = 0;
      for (Index r = 0; r < 4; ++r) g += double(p.weight(r, o)) * double(wave.x(r, i));
      const auto curve = [](double w) { return std::sin(20 * w) / std::sqrt(12.0); };
      const double expected = g * difference(curve, double(wave.parameters(0, 12 * o + i)));
      CHECK(double(p.dp(0, 12 * o + i)) == Approx(expected).margin(1e-3));
    }
  test::check_bits(wave);
}

TEST_CASE("a quantiser learns its range: levels, clipping, and the slope of the range by differences") {
  Bench bench(quantise({40}, 4), 3);
  bench.parameters(0, 0) = 0.8f;
  const Slopes s = slopes(bench);
  double slope = 0;
  for (std::size_t i = 0; i < 120; ++i) {
    const double x = double(bench.x.flat()[i]), g = double(s.weight.flat()[i]),
                 level = double(bench.y.flat()[i]) / 0.8 * 7;
    CHECK(level == Approx(std::rint(level)).margin(1e-5));
    CHECK(std::fabs(level) <= 7 + 1e-5);
    CHECK(double(s.dx.flat()[i]) == (std::fabs(x) <= double(0.8f) ? g : 0.0));
    // with the rounding straight through: y = r c + r (rounding of c, held fixed)
    const double c = std::clamp(x / 0.8, -1.0, 1.0), rounding = std::rint(c * 7) / 7 - c;
    const auto y = [&](double r) { return r * (std::clamp(x / r, -1.0, 1.0) + rounding); };
    slope += g * difference(y, 0.8);
  }
  CHECK(double(s.dp(0, 0)) == Approx(slope).epsilon(1e-4));
  test::check_bits(bench);
  bench.parameters(0, 0) = 0;
  CHECK_THROWS_AS(bench.forward(), OutOfRange);
  CHECK_THROWS_AS(quantise({3}, 1), OutOfRange);
}

TEST_CASE("neurons fire with the probability of their sigmoid, and each estimator is what it says") {
  constexpr Index kRows = 20000;
  const double x[] = {-2, -0.5, 0.3, 1.5};
  for (const Neuron kind : {Neuron::straight, Neuron::smooth}) {
    Bench bench(stochastic({4}, kind), kRows);
    for (Index r = 0; r < kRows; ++r)
      for (Index i = 0; i < 4; ++i) bench.x(r, i) = float(x[i]);
    bench.forward();
    // a loss that is no straight line in y: L = sum_i (y_i - t_i)^2
    const double t[] = {0.2, 0.9, 0.4, 0.7};
    Matrix<float> dy(kRows, 4), dx(kRows, 4);
    for (Index r = 0; r < kRows; ++r)
      for (Index i = 0; i < 4; ++i) dy(r, i) = 2 * (bench.y(r, i) - float(t[i]));
    bench.layer->vjp(bench.in(), bench.y, bench.memory, dy, dx, {}, bench.work);
    for (Index i = 0; i < 4; ++i) {
      const double p = 1 / (1 + std::exp(-x[i]));
      double mean = 0, slope = 0, square = 0;
      for (Index r = 0; r < kRows; ++r) {
        mean += double(bench.y(r, i)) / kRows;
        slope += double(dx(r, i)) / kRows;
        square += std::pow(double(dx(r, i)), 2) / kRows;
      }
      // two-sided, 3.3 standard errors (alpha 1e-3 each), n = 20000, seed 5
      CHECK(mean == Approx(p).margin(3.3 * 0.5 / std::sqrt(kRows)));
      const double error = 3.3 * std::sqrt(square / kRows);
      if (kind == Neuron::straight) CHECK(slope == Approx(2 * (p - t[i]) * p * (1 - p)).margin(error));
      if (kind == Neuron::smooth) {  // of y for the draw: b d sqrt(p) / dx, mean over b
        const auto root = [](double v) { return std::sqrt(1 / (1 + std::exp(-v))); };
        CHECK(slope == Approx(std::sqrt(p) * 2 * (root(x[i]) - t[i]) * difference(root, x[i])).margin(error));
      }
    }
  }
  Bench calm(stochastic({4}, Neuron::smooth), 2);
  calm.pass.training = false;
  test::check_derivative(calm);
  test::check_bits(calm);
  Bench firing(stochastic({6}, Neuron::straight), 5);
  test::check_bits(firing);
}

TEST_CASE("rows come out with a norm of 1, values between -1 and 1, slopes by finite differences") {
  for (const double p : {1.0, 2.0, 3.0}) {
    Bench bench(row_norm({5, 4}, p), 3);
    for (float& v : bench.x.flat()) v += v > 0 ? 0.1f : -0.1f;  // away from the kink of |x|
    test::check_derivative(bench);
    test::check_bits(bench);
    for (Index r = 0; r < 3; ++r) {
      double sum = 0;
      for (const float v : bench.y.row(r)) sum += std::pow(std::fabs(double(v)), p);
      CHECK(sum == Approx(1).epsilon(1e-5));
    }
    for (float& v : bench.x.flat()) v *= 1e-7f;  // below the floor
    bench.forward();
    for (const float v : bench.y.flat()) CHECK(std::fabs(v) < 0.1f);
  }
  CHECK_THROWS_AS(row_norm({4}, 0.5), OutOfRange);
  Bench clamp(clamp_layer({30}), 3);
  for (float& v : clamp.x.flat())
    if (std::fabs(std::fabs(v) - 1) < 0.02f) v = 0.5f;  // away from the kinks
  test::check_derivative(clamp);
  test::check_bits(clamp);
}

TEST_CASE("architectures name these layers, and read back their own text") {
  const char* text =
      "6x6x2 | binary_conv 4 3x3, sign, max_pool 2 | flatten, biper_dense 8 frequency=7, biper frequency=3 "
      "| binarise, binary_dense 6, norm 2, clamp, quantise 5, stochastic smooth | stochastic, dense 3";
  const auto model = parse_model(text, {.input = {6, 6, 2}, .classes = 3});
  CHECK(parse_model(model->text(), {.input = {6, 6, 2}, .classes = 3})->text() == model->text());
  CHECK(model->text().find("biper_dense 8 frequency=7, biper frequency=3") != std::string::npos);
}
