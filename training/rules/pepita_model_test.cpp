#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

TEST_CASE("PEPITA of a net of dense layers is that of the widths") {
  Bench plain;
  Bench layers(Network(parse_model("9 | dense 24, tanh | dense 17, tanh | dense 5", {})));
  std::ranges::copy(plain.net.parameters(), layers.net.parameters().begin());
  MatrixFeedback feedback(5, 9);
  const auto expected = plain.make("pepita", &feedback, {{"dropout", 0.0}, {"scale", 0.5}, {"shows", "input"}});
  const auto found = layers.make("pepita", &feedback, {{"scale", 0.5}});
  const std::vector<float> a = plain.gradient(*expected), b = layers.gradient(*found);
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(double(a[i]) - double(b[i])));
  CHECK(worst < 1e-7);
  CHECK(found->loss() == Approx(expected->loss()).epsilon(1e-6));
}

TEST_CASE("PEPITA through a convolution: the change of every pixel before the pool with the second pass' patch") {
  Bench bench(Network(parse_model("4x4x1 | conv 2 3, relu, max_pool 2 | flatten, dense 5", {})));
  MatrixFeedback feedback(5, 16);
  const auto made = bench.make("pepita", &feedback, {{"scale", 2.0}});
  const std::vector<float> found = bench.gradient(*made);
  const std::span<const float> w = bench.net.parameters();
  constexpr Index side = 4, channels = 2, window = 3;
  const auto pixel = [&](const std::vector<double>& x, Index r, Index c) {
    return r < 0 || c < 0 || r >= side || c >= side ? 0.0 : x[std::size_t(r * side + c)];
  };
  // (row, column, channel); weights (channel, row, column of the window), then biases
  const auto hidden = [&](const std::vector<double>& x) {
    std::vector<double> h;
    for (Index r = 0; r < side; ++r)
      for (Index c = 0; c < side; ++c)
        for (Index k = 0; k < channels; ++k) {
          double a = double(w[std::size_t(channels * window * window + k)]);
          for (Index i = 0; i < window; ++i)
            for (Index j = 0; j < window; ++j)
              a += double(w[std::size_t((k * window + i) * window + j)]) * pixel(x, r + i - 1, c + j - 1);
          h.push_back(std::max(0.0, a));
        }
    return h;
  };
  const auto pooled = [&](const std::vector<double>& h) {
    std::vector<double> p;
    for (Index r = 0; r < 2; ++r)
      for (Index c = 0; c < 2; ++c)
        for (Index k = 0; k < channels; ++k) {
          double top = 0;
          for (Index i = 0; i < 2; ++i)
            for (Index j = 0; j < 2; ++j)
              top = std::max(top, h[std::size_t(((2 * r + i) * side + 2 * c + j) * channels + k)]);
          p.push_back(top);
        }
    return p;
  };
  const std::size_t out_at = std::size_t(channels * (window * window + 1)), width = 8;
  std::vector<double> g(w.size(), 0.0);
  for (Index r = 0; r < bench.x.rows(); ++r) {
    std::vector<double> x(bench.x.row(r).begin(), bench.x.row(r).end()), e(5);
    const std::vector<double> first = hidden(x), p = pooled(first);
    double total = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      e[c] = double(w[out_at + 5 * width + c]);
      for (std::size_t i = 0; i < width; ++i) e[c] += double(w[out_at + c * width + i]) * p[i];
      e[c] = std::exp(e[c]);
      total += e[c];
    }
    for (std::size_t c = 0; c < 5; ++c) e[c] = e[c] / total - (bench.labels[std::size_t(r)] == c ? 1 : 0);
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t c = 0; c < 5; ++c)
        x[i] += 2.0 * std::sqrt(2.0 / 16) * double(feedback.matrix()(Index(i), Index(c))) * e[c];
    const std::vector<double> second = hidden(x), below = pooled(second);
    for (Index row = 0; row < side; ++row)
      for (Index col = 0; col < side; ++col)
        for (Index k = 0; k < channels; ++k) {
          const auto at = std::size_t((row * side + col) * channels + k);
          const double delta = (first[at] - second[at]) / 12;
          g[std::size_t(channels * window * window + k)] += delta;
          for (Index i = 0; i < window; ++i)
            for (Index j = 0; j < window; ++j)
              g[std::size_t((k * window + i) * window + j)] += delta * pixel(x, row + i - 1, col + j - 1);
        }
    for (std::size_t c = 0; c < 5; ++c) {
      for (std::size_t i = 0; i < width; ++i) g[out_at + c * width + i] += e[c] * below[i] / 12;
      g[out_at + 5 * width + c] += e[c] / 12;
    }
  }
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    worst = std::max(worst, std::fabs(g[i] - double(found[i])));
    largest = std::max(largest, std::fabs(g[i]));
  }
  CHECK(worst < 2e-6 * std::max(1.0, largest));
  CHECK(largest > 0.01);
}

TEST_CASE("PEPITA: what a net of layers does in another way is refused") {
  Bench bench(Network(parse_model("9 | dense 24, tanh | dense 5", {})));
  MatrixFeedback feedback(5, 9);
  CHECK_THROWS_AS(bench.make("pepita", &feedback, {{"dropout", 0.2}}), InvalidParameter);
  CHECK_THROWS_AS(bench.make("pepita", &feedback, {{"recompute", true}}), InvalidParameter);
  CHECK_THROWS_AS(bench.make("pepita", &feedback, {{"shows", "change"}}), Unsupported);
  CHECK_THROWS_AS(bench.make("pepita", nullptr), InvalidParameter);
}
