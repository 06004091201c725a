#include "training/layers/noisy.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/layer_checks_for_tests.hpp"
#include "training/layers/model.hpp"
#include "training/layers/quantised.hpp"

using namespace lightloop;
using test::Bench;

namespace {

std::shared_ptr<const Model> model(const std::string& text, Index features = 12) {
  return parse_model(text, {.input = {features}, .classes = 10});
}

/// Mean and variance of y - x over 40000 numbers.
std::pair<double, double> moments(const std::string& word, float value) {
  const auto net = model(word, 200);
  const NetLayer& layer = net->block(0);
  Matrix<float> x(200, 200), y(200, 200);
  for (float& v : x.flat()) v = value;
  LayerMemory memory;
  layer.forward({.training = true, .seed = 2}, {{}, {}, x}, y, memory);
  double mean = 0, square = 0;
  for (const float v : y.flat()) {
    mean += double(v - value) / 4e4;
    square += double(v - value) * double(v - value) / 4e4;
  }
  return {mean, square - mean * mean};
}

}  // namespace

TEST_CASE("noise layers have the variance of their law, by standard deviation or by leakage") {
  // n = 40000, two-sided at 3.3 standard errors (variance: kurtosis of the law), seed 2
  struct Row {
    const char* word;
    double variance, kurtosis;
  };
  const double sigma = 0.04633, laplace = 0.06376, uniform = 0.03608;
  for (const Row& row :
       {Row{"noise gaussian leakage=0.5 precision=16", sigma * sigma, 3},
        Row{"noise laplacian leakage=0.5 precision=16", laplace * laplace, 6},
        Row{"noise uniform leakage=0.5 precision=16", uniform * uniform, 1.8}, Row{"noise laplacian std=0.2", 0.04, 6},
        Row{"noise uniform std=0.2", 0.04, 1.8}, Row{"noise gaussian std=0.2", 0.04, 3},
        Row{"noise poisson scale=4 precision=16", 0.5 / 64, 3 + 1 / 32.0},
        Row{"noise poisson leakage=0.5 precision=16", 0.5 / (16 * poisson_scale_for_leakage(0.5, 16)),
            3 + 1 / (16 * 0.5 * poisson_scale_for_leakage(0.5, 16))},
        Row{"noise binomial carriers=50", 0.25 / 50, 3}}) {
    const auto [mean, variance] = moments(row.word, 0.5f);
    INFO(row.word);
    CHECK(std::abs(mean) < 3.3 * std::sqrt(row.variance / 4e4));
    CHECK(variance == Approx(row.variance).epsilon(3.3 * std::sqrt((row.kurtosis - 1) / 4e4) + 1e-3));
  }
  CHECK(moments("precision 4", 0.4f).first == Approx(0.1));
  const auto [mean, variance] = moments("precision 4 stochastic", 0.4f);  // 0.5 with probability 0.6, else 0.25
  CHECK(std::abs(mean) < 3.3 * 0.25 * std::sqrt(0.24 / 4e4));
  CHECK(variance == Approx(0.0625 * 0.24).epsilon(0.02));
}

TEST_CASE("noise belongs to the sample: same bits for any batch and thread count, other noise while scored") {
  Bench bench(noise({30}, {.std = 0.1}), 5);
  test::check_bits(bench);
  bench.forward();
  const Matrix<float> trained = bench.y;
  bench.pass = {.training = false, .seed = 5, .first_sample = 100, .instance = 3};
  bench.forward();
  CHECK(!std::ranges::equal(trained.flat(), bench.y.flat()));
  const Matrix<float> scored = bench.y;
  bench.pass.seed = 6;  // networks are scored alike whatever seed they were trained with
  bench.forward();
  CHECK(std::ranges::equal(scored.flat(), bench.y.flat()));
  Matrix<float> dx(5, 30);
  bench.layer->vjp(bench.in(), bench.y, bench.memory, trained, dx, {}, bench.work);
  CHECK(std::ranges::equal(dx.flat(), trained.flat()));
}

TEST_CASE("norms by the largest value have their exact slopes, scored, that of a batch is a running mean") {
  Bench largest(largest_norm({9}), 4);
  test::check_derivative(largest);
  test::check_bits(largest);
  Bench batch(batch_norm_to_one({9}, 2), 4);
  test::check_derivative(batch);
  test::check_bits(batch, false);
  batch.forward();
  float most = 0;
  for (const float v : batch.y.flat()) most = std::max(most, std::abs(v));
  CHECK(most == Approx(1));
  const Matrix<float> trained = batch.y;
  batch.layer->learn_state(batch.memory, batch.state.flat());
  batch.pass.training = false;
  batch.forward();
  CHECK(std::ranges::equal(trained.flat(), batch.y.flat()));  // the one batch that was seen
  test::check_derivative(batch);
  test::check_bits(batch);
}

TEST_CASE("weights pass through layers of their own, biases do not") {
  Bench bench(weights_through(dense({12}, 7), largest_norm({84})), 5);
  test::check_derivative(bench);
  test::check_bits(bench);
  // against the product by hand
  bench.forward();
  float most = 0;
  for (Index i = 0; i < 84; ++i) most = std::max(most, std::abs(bench.parameters(0, i)));
  double y = double(bench.parameters(0, 84 + 3));
  for (Index j = 0; j < 12; ++j) y += double(bench.parameters(0, 3 * 12 + j)) / double(most) * double(bench.x(2, j));
  CHECK(bench.y(2, 3) == Approx(y).margin(1e-5));

  Bench noisy(weights_through(dense({12}, 7), noise({84}, {.std = 0.1})), 5);
  test::check_bits(noisy, false);
  const auto answer = [&](bool training, std::uint64_t first) {
    noisy.pass.training = training;
    noisy.pass.first_sample = first;
    noisy.forward();
    return noisy.y;
  };
  const auto same = [](const Matrix<float>& a, const Matrix<float>& b) {
    return std::ranges::equal(a.flat(), b.flat());
  };
  CHECK(!same(answer(true, 0), answer(true, 5)));   // new weights for every batch
  CHECK(same(answer(false, 0), answer(false, 5)));  // one draw for all that is scored
  CHECK(!same(answer(true, 0), answer(false, 0)));
}

TEST_CASE("the layers of AnalogVNN are words of networks, and what makes no sense is refused") {
  const std::string weights = "; clamp, precision 16, noise gaussian leakage=0.5 precision=16)";
  const std::string text =
      "norm 2 max, precision 16, noise gaussian leakage=0.5 precision=16, weights(dense 20" + weights +
      ", noise gaussian leakage=0.5 precision=16, norm 2 max, precision 16, gelu exact | weights(dense 10" + weights;
  const auto net = model(text);
  CHECK(net->text() == "12 | " + text);
  CHECK(model(net->text())->text() == net->text());
  for (const char* refused :
       {"noise", "noise pink", "noise gaussian", "noise gaussian std=0.1 leakage=0.5", "noise gaussian leakage=0.5",
        "noise poisson scale=4", "noise binomial", "noise binomial std=1", "noise gaussian std=x", "precision",
        "weights(dense 5)", "weights(relu; clamp)", "weights(dense 5; dense 60)", "weights(dense 5; norm 2 max)",
        "weights(dense 5; dropout 2)"})
    CHECK_THROWS_AS(model(refused), Error);
  for (const char* beyond : {"noise gaussian std=-1", "noise gaussian leakage=1.5 precision=4", "precision 0",
                             "noise poisson scale=0.1 precision=4"})
    CHECK_THROWS_AS(model(beyond), OutOfRange);
  CHECK_THROWS_AS(moments("noise binomial carriers=5", 1.5f), OutOfRange);
}
