#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/images_for_tests.hpp"

using namespace lightloop;

namespace {

Network network(const char* text) { return Network(parse_model(text, {{}, 5})); }

double apart(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::isnan(a[i]) ? 1e9 : std::fabs(double(a[i]) - double(b[i])));
  return most;
}

}  // namespace

TEST_CASE("augmented DFA of a net of dense layers is that of the widths, the non-linearity a layer or part of one") {
  for (const char* text : {"9 | dense 24, tanh | dense 17, tanh | dense 5",
                           "9 | dense 24, identity, tanh | dense 17, identity, tanh | dense 5"})
    for (const char* gate : {"cos", "sin", "sech2", "one"}) {
      Bench plain;
      Bench layers(network(text));
      std::ranges::copy(plain.net.parameters(), layers.net.parameters().begin());
      MatrixFeedback feedback(5, 24);
      const Settings settings{{"gate", gate}, {"gate_scale", 1.7}, {"scale", 0.8}};
      const auto expected = plain.make("adfa", &feedback, settings), found = layers.make("adfa", &feedback, settings);
      INFO(text << ", " << gate);
      CHECK(apart(layers.gradient(*found, 2), plain.gradient(*expected, 2)) < 1e-6);
      CHECK(found->loss() == Approx(expected->loss()).epsilon(1e-6));
      CHECK(found->touched() == expected->touched());
    }
}

TEST_CASE("augmented DFA with the derivative of tanh as gate is DFA: on convolutions, pools, norms and residuals") {
  for (const char* text : {"4x4x1 | conv 2 3, tanh, max_pool 2 | flatten, dense 6, tanh, layer_norm | dense 5",
                           "4x4x1 | conv 3 3, batch_norm, tanh | residual(conv 3 3, relu), tanh, avg_pool 2, dropout "
                           "0.3 | flatten, dense 5"}) {
    Bench bench(network(text));
    forward(bench.net, bench.x, bench.activations, {.training = true, .seed = 1, .first_sample = 24});
    output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error);
    MatrixFeedback feedback(5, 48);
    const auto dfa = bench.make("dfa", &feedback, {{"scale", 0.8}}),
               adfa = bench.make("adfa", &feedback, {{"gate", "sech2"}, {"scale", 0.8}});
    const std::vector<float> expected = bench.gradient(*dfa, 2);
    INFO(text);
    CHECK(apart(bench.gradient(*adfa, 2), expected) < 1e-6);
    for (Index b = 0; b < 2; ++b)
      CHECK(std::ranges::equal(adfa->teaching_signal(b).row(3), dfa->teaching_signal(b).row(3)));
  }
}

TEST_CASE("a step of augmented DFA on a convolution with relu and a pool equals its definition in double precision") {
  Bench bench(network("4x4x1 | conv 2 3, relu, max_pool 2 | flatten, dense 5"));
  MatrixFeedback feedback(5, 8);
  const auto rule = bench.make("adfa", &feedback, {{"gate", "cos"}, {"gate_scale", 2.0}});
  const std::vector<float> found = bench.gradient(*rule);
  const auto p = std::as_const(bench.net).parameters();
  Row g(found.size());
  for (Index r = 0; r < 12; ++r) {
    const Image x{4, 1, row_of(bench.x.row(r))}, a = convolved(x, p, 2, 1, true);
    Row pool, signal(32);
    for (std::size_t k = 0; k < 8; ++k) {  // (row, column, channel) of the pool
      double be = 0, top = -1;
      for (Index c = 0; c < 5; ++c) be += double(feedback.matrix()(Index(k), c)) * double(bench.error(r, c));
      std::size_t at = 0;
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 2; ++j) {
          const std::size_t pixel = ((2 * (k / 4) + i) * 4 + 2 * (k / 2 % 2) + j) * 2 + k % 2;
          if (std::max(a.values[pixel], 0.0) > top) top = std::max(a.values[pixel], 0.0), at = pixel;
        }
      pool.push_back(top);
      signal[at] += be / std::sqrt(8.0);
    }
    for (std::size_t k = 0; k < 32; ++k) {
      const double delta = signal[k] * std::cos(2 * a.values[k]) / 12;
      g[18 + k % 2] += delta;
      for (std::size_t tap = 0; tap < 9; ++tap)
        g[k % 2 * 9 + tap] +=
            delta * x.at(std::ptrdiff_t(k / 8 + tap / 3) - 1, std::ptrdiff_t(k / 2 % 4 + tap % 3) - 1, 0);
    }
    for (std::size_t c = 0; c < 5; ++c) {
      const double e = double(bench.error(r, Index(c))) / 12;
      for (std::size_t k = 0; k < 8; ++k) g[20 + c * 8 + k] += e * pool[k];
      g[60 + c] += e;
    }
  }
  REQUIRE(found.size() == 65);
  double worst = 0;
  for (std::size_t i = 0; i < g.size(); ++i) worst = std::max(worst, std::fabs(double(found[i]) - g[i]));
  CHECK(worst < 2e-6);
}

TEST_CASE("augmented DFA refuses blocks without a non-linearity, and feedback of another size") {
  MatrixFeedback feedback(5, 24), narrow(5, 12);
  Bench linear(network("9 | dense 24, layer_norm | dense 5"));
  CHECK_THROWS_WITH(linear.make("adfa", &feedback), Catch::Contains("block 1"));
  Bench bench(network("9 | dense 24, relu | dense 5"));
  CHECK_THROWS_AS(bench.make("adfa", &narrow), InvalidParameter);
  CHECK_THROWS_AS(bench.make("adfa", nullptr), InvalidParameter);
  CHECK_NOTHROW(bench.make("adfa", &feedback));
}
