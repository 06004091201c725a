#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/chain.hpp"
#include "training/layers/layer_checks_for_tests.hpp"

using namespace lightloop;
using test::Bench;

TEST_CASE("element-wise layers: derivative against finite differences, known values") {
  for (const Activation f : {Activation::identity, Activation::tanh, Activation::sigmoid, Activation::elu}) {
    Bench bench(elementwise({4, 3}, f), 2);
    test::check_derivative(bench);
  }
  Bench relu(elementwise({6}, Activation::relu), 3);
  for (float& v : relu.x.flat()) v += v > 0 ? 0.1f : -0.1f;  // away from the kink
  test::check_derivative(relu);
  Bench bent(gelu({50}), 2);
  test::check_derivative(bent);
  test::check_bits(bent);
  bent.x(0, 0) = 0;
  bent.x(0, 1) = 1;
  bent.x(0, 2) = -20;
  bent.forward();
  CHECK(bent.y(0, 0) == 0.0f);
  CHECK(bent.y(0, 1) == Approx(0.841192).epsilon(1e-5));  // the tanh form; x Phi(x) is 0.841345
  CHECK(bent.y(0, 2) == Approx(0).margin(1e-6));
}

TEST_CASE("the exact GELU is x Phi(x), and its slope Phi(x) + x phi(x), to 1e-9 of a finite difference") {
  double worst = 0, off = 0;
  for (double x = -8; x <= 8; x += 0.01) {
    const double h = 1e-5, slope = (exact_gelu(x + h) - exact_gelu(x - h)) / (2 * h);
    worst = std::max(worst, std::fabs(slope - exact_gelu_slope(x)));
  }
  CHECK(worst < 1e-9);  // with the factor pi of AnalogVNN 1.0.8 on the second term: 0.5
  CHECK(exact_gelu(1) == Approx(0.8413447460685429).epsilon(1e-14));
  Bench bench(gelu({50}, true), 2);
  CHECK(bench.layer->text() == "gelu exact");
  test::check_derivative(bench);
  test::check_bits(bench);
  for (std::size_t i = 0; i < bench.y.flat().size(); ++i)
    off = std::max(off, std::fabs(double(bench.y.flat()[i]) - exact_gelu(double(bench.x.flat()[i]))));
  CHECK(off < 3e-7);
}

TEST_CASE("pooling: largest and mean of windows, derivative against finite differences") {
  for (const Window window : {Window{2, 2, 2, 0}, Window{3, 2, 1, 0}, Window{3, 3, 2, 0}, Window{1, 4, {2, 1}, 0}}) {
    Bench average(average_pool({5, 6, 3}, window), 2);
    test::check_derivative(average);
    test::check_bits(average);
    Bench largest(max_pool({5, 6, 3}, window), 2);
    for (std::size_t i = 0; i < largest.x.flat().size(); ++i)  // further apart than the step of the difference
      largest.x.flat()[i] = 0.1f * float((i * 37) % largest.x.flat().size());
    test::check_derivative(largest);
    test::check_bits(largest);
  }
  Bench pool(max_pool({4, 4, 1}, {2, 2, 2, 0}), 1);
  for (Index i = 0; i < 16; ++i) pool.x(0, i) = float(i);
  pool.forward();
  CHECK(std::vector<float>(pool.y.flat().begin(), pool.y.flat().end()) == std::vector<float>{5, 7, 13, 15});
  Bench whole(global_pool({2, 3, 2}), 2);
  test::check_derivative(whole);
  for (Index i = 0; i < 12; ++i) whole.x(1, i) = float(i);
  whole.forward();
  CHECK(whole.y(1, 0) == Approx(5));
  CHECK(whole.y(1, 1) == Approx(6));
  CHECK_THROWS_AS(max_pool({4, 4, 1}, {2, 2, 2, 1}), OutOfRange);
}

TEST_CASE("batch norm: zero mean and unit variance per channel while training, running statistics otherwise") {
  Bench bench(batch_norm({3, 2}), 40);
  test::check_derivative(bench, 5e-3);
  test::check_bits(bench, false);
  for (Index r = 0; r < 40; ++r)
    for (Index p = 0; p < 3; ++p) bench.x(r, 2 * p) = 5 + 3 * bench.x(r, 2 * p);
  bench.parameters(0, 0) = bench.parameters(0, 1) = 1;
  bench.parameters(0, 2) = bench.parameters(0, 3) = 0;
  bench.forward();
  for (Index c = 0; c < 2; ++c) {
    double sum = 0, squares = 0, x_sum = 0, x_squares = 0;
    for (Index r = 0; r < 40; ++r)
      for (Index p = 0; p < 3; ++p) {
        const double y = double(bench.y(r, 2 * p + c)), x = double(bench.x(r, 2 * p + c));
        sum += y, squares += y * y, x_sum += x, x_squares += x * x;
      }
    CHECK(sum / 120 == Approx(0).margin(1e-6));
    CHECK(squares / 120 == Approx(1).epsilon(1e-4));
    const double mean = x_sum / 120, variance = (x_squares - 120 * mean * mean) / 119;
    bench.layer->initialise_state(bench.state.flat());
    bench.layer->learn_state(bench.memory, bench.state.flat());
    CHECK(bench.state(0, c) == Approx(0.1 * mean));
    CHECK(bench.state(0, 2 + c) == Approx(0.9 + 0.1 * variance));
  }
  for (int i = 0; i < 200; ++i) bench.layer->learn_state(bench.memory, bench.state.flat());
  const Matrix<float> trained = bench.y;
  bench.pass.training = false;
  bench.forward();  // the state has converged to the batch: the same result but for n / (n - 1)
  for (std::size_t i = 0; i < trained.flat().size(); ++i)
    CHECK(bench.y.flat()[i] == Approx(trained.flat()[i]).margin(0.02));
  test::check_derivative(bench);
  test::check_bits(bench, true);
  const std::vector<float> before(bench.state.flat().begin(), bench.state.flat().end());
  bench.layer->learn_state(bench.memory, bench.state.flat());
  CHECK(std::ranges::equal(before, bench.state.flat()));  // a pass that does not train teaches nothing
}

TEST_CASE("batch norm: a single value per channel is normalised by the running statistics and does not move them") {
  for (const bool alone : {true, false}) {  // a sample of two positions has two values
    Bench bench(batch_norm(alone ? Shape{4} : Shape{2, 4}), 1);
    CHECK(bench.layer->needs_batch() == alone);
    for (Index c = 0; c < 4; ++c) bench.state(0, c) = 0.5f, bench.state(0, 4 + c) = 4.0f;
    if (alone) test::check_derivative(bench, 5e-3);
    const Matrix<float> before = bench.state;
    bench.forward();
    bench.layer->learn_state(bench.memory, bench.state.flat());
    CHECK(std::ranges::equal(before.flat(), bench.state.flat()) == alone);
    for (Index c = 0; alone && c < 4; ++c) {
      const double u = (double(bench.x(0, c)) - 0.5) / std::sqrt(4.00001);
      CHECK(bench.y(0, c) ==
            Approx(double(bench.parameters(0, c)) * u + double(bench.parameters(0, 4 + c))).margin(1e-5));
    }
  }
}

TEST_CASE("layer norm: every row has mean 0 and variance 1, whatever the batch") {
  Bench bench(layer_norm({2, 7}), 3);
  test::check_derivative(bench, 5e-3);
  test::check_bits(bench);
  std::fill_n(bench.parameters.data(), 7, 1.0f);
  std::fill_n(bench.parameters.data() + 7, 7, 0.0f);
  bench.forward();
  double sum = 0, squares = 0;
  for (Index c = 7; c < 14; ++c) sum += double(bench.y(2, c)), squares += double(bench.y(2, c)) * double(bench.y(2, c));
  CHECK(sum == Approx(0).margin(1e-5));
  CHECK(squares / 7 == Approx(1).epsilon(1e-3));
}

TEST_CASE("dropout keeps the mean, draws per sample and layer, and is the identity when it does not train") {
  Bench bench(dropout({5000}, 0.3), 4);
  std::ranges::fill(bench.x.flat(), 1.0f);
  test::check_bits(bench);  // a row keeps its mask when the batch is cut
  bench.forward();
  double kept = 0;
  for (const float v : bench.y.flat()) {
    CHECK((v == 0.0f || v == 1.0f / 0.7f));
    kept += v > 0;
  }
  // null: binomial(20000, 0.7), seed 5, alpha = 1e-4 two-sided
  CHECK(std::fabs(kept - 14000) / std::sqrt(20000 * 0.21) < 3.9);
  const Matrix<float> first = bench.y;
  bench.pass.instance = 4;
  bench.forward();
  CHECK_FALSE(std::ranges::equal(first.flat(), bench.y.flat()));
  Bench small(dropout({6}, 0.5), 3);
  test::check_derivative(small);
  small.pass.training = false;
  small.forward();
  CHECK(std::ranges::equal(small.x.flat(), small.y.flat()));
  test::check_derivative(small);
  CHECK_THROWS_AS(dropout({6}, 1.0), OutOfRange);
}

namespace {

LayerPointer two_layers(Index inputs, Index outputs) {
  std::vector<LayerPointer> layers;
  layers.push_back(dense({inputs}, 5, Activation::tanh));
  layers.push_back(batch_norm({5}));
  layers.push_back(dense({5}, outputs));
  return chain({inputs}, std::move(layers));
}

}  // namespace

TEST_CASE("chains and residuals: derivative through both branches, parameters and state side by side") {
  Bench plain(residual(two_layers(4, 4)), 6);
  test::check_derivative(plain, 5e-3);
  test::check_bits(plain, false);
  Bench both(residual(two_layers(4, 3), dense({4}, 3)), 6);
  CHECK(both.layer->parameters() == 5 * 5 + 10 + 6 * 3 + 5 * 3);
  CHECK(both.layer->state() == 10);
  CHECK(both.layer->instances() == 4);
  test::check_derivative(both, 5e-3);
  plain.pass.training = false;
  std::ranges::fill(plain.parameters.flat(), 0.0f);
  plain.forward();
  CHECK(std::ranges::equal(plain.x.flat(), plain.y.flat()));  // a branch of zeros leaves the shortcut
  CHECK_THROWS_WITH(residual(two_layers(4, 3)), Catch::Contains("shortcut"));
  std::vector<LayerPointer> misfit;
  misfit.push_back(dense({4}, 5));
  misfit.push_back(dense({4}, 5));
  CHECK_THROWS_AS(chain({4}, std::move(misfit)), ShapeMismatch);
}

TEST_CASE("a chain in two halves gives the same bits as in one") {
  Bench bench(two_layers(4, 3), 6);
  const auto& all = dynamic_cast<const LayerChain&>(*bench.layer);
  const Matrix<float> dy = test::normal_matrix(6, 3, 5);
  bench.forward();
  Matrix<float> dx(6, 4), dp(1, bench.parameters.cols()), half_dx(6, 4), half_dp(1, bench.parameters.cols()),
      middle(6, 5);
  all.vjp(bench.in(), bench.y, bench.memory, dy, dx, dp.flat(), bench.work);
  all.vjp_of(2, 3, bench.in(), bench.y, bench.memory, dy, middle, half_dp.flat(), bench.work);
  all.vjp_of(0, 2, bench.in(), bench.y, bench.memory, middle, half_dx, half_dp.flat(), bench.work);
  CHECK(std::ranges::equal(dx.flat(), half_dx.flat()));
  CHECK(std::ranges::equal(dp.flat(), half_dp.flat()));
}

TEST_CASE("flatten and last_token hand values and gradients on") {
  Bench flat(flatten({2, 3, 2}), 2);
  flat.forward();
  CHECK(std::ranges::equal(flat.x.flat(), flat.y.flat()));
  CHECK(flat.layer->output_shape() == Shape{12});
  test::check_derivative(flat);
  Bench last(last_token({3, 2}), 2);
  last.forward();
  CHECK(last.y(1, 0) == last.x(1, 4));
  test::check_derivative(last);
}
