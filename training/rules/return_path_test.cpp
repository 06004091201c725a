// What errors go back through: alignment of weights, and feedback alignment of convolutions.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/rules/chain.hpp"

using namespace lightloop;

namespace {

Network model(const std::string& text) { return Network(parse_model(text, {.input = {}, .classes = 5})); }

/// Trains a linear net to be a random linear map, by plain gradient descent on |y - T x|^2 / 2.
void fit_linear_map(Network& net, Rule& rule, int steps, double rate) {
  const Index inputs = net.widths().front(), outputs = net.classes(), m = 20;
  Matrix<float> teacher(outputs, inputs), x(m, inputs), error(m, outputs), g(1, Index(net.parameters().size()));
  const Stream draws(7, 0, Purpose::user), samples(7, 1, Purpose::user);
  for (Index o = 0; o < outputs; ++o) draws.normal(std::uint64_t(o), 0, teacher.row(o));
  const std::vector<std::uint8_t> labels(std::size_t(m), 0);
  Activations seen;
  for (int step = 0; step < steps; ++step) {
    for (Index r = 0; r < m; ++r) samples.normal(std::uint64_t(step * m + r), 0, x.row(r));
    forward(net, x, seen);
    for (Index r = 0; r < m; ++r)
      for (Index o = 0; o < outputs; ++o)
        error(r, o) = float(double(seen.h.back()(r, o)) - dot(teacher.row(o), x.row(r)) / std::sqrt(double(inputs)));
    rule.gradient(net, {seen, error, labels, Loss::mse, std::uint64_t(step), 0}, g.flat());
    for (std::size_t i = 0; i < g.flat().size(); ++i) net.parameters()[i] -= float(rate) * g.flat()[i];
  }
}

}  // namespace

TEST_CASE("weight alignment is 1 for matrices that are the weights times a number, -1 with the other sign") {
  const Network nets[] = {Network({9, 24, 17, 5}, Activation::tanh),
                          model("4x4x2 | conv 3 3, tanh | depthwise 3, layer_norm | flatten, dense 6, dense 5")};
  for (Network net : nets) {
    net.initialise(3);
    for (const float c : {0.3f, -2.0f}) {
      ReturnPath path(net);
      for (std::size_t k = 0; k < path.places().size(); ++k) {
        const View<float> b = path.matrix(k);
        for (Index i = 0; i < b.size(); ++i)
          b.data()[i] = c * net.parameters()[std::size_t(path.places()[k].weights.offset + i)];
      }
      const std::vector<double> cosines = path.alignment(net);
      CHECK(cosines.size() == 2);
      for (const double cosine : cosines) CHECK(cosine == Approx(c > 0 ? 1 : -1).margin(1e-6));
    }
  }
  Network net({9, 24, 17, 5}, Activation::tanh);
  net.initialise(3);
  Matrix<float> b(24, 5);  // its first 17 rows serve the second layer
  for (Index j = 0; j < 17; ++j)
    for (Index c = 0; c < 5; ++c) b(j, c) = 0.5f * net.weights(2)(c, j);
  CHECK(broadcast_alignment(net, b)[1] == Approx(1).margin(1e-6));
  for (Index j = 0; j < 24; ++j)
    for (Index c = 0; c < 5; ++c) {
      double product = 0;
      for (Index k = 0; k < 17; ++k) product += double(net.weights(2)(c, k)) * double(net.weights(1)(k, j));
      b(j, c) = float(product);
    }
  CHECK(broadcast_alignment(net, b)[0] == Approx(1).margin(1e-6));
  CHECK(broadcast_alignment(net, {}).empty());
}

TEST_CASE("independent matrices are aligned by chance alone, signs of the weights as Gaussian weights are") {
  // Null: the cosine of independent Gaussian matrices of n entries is N(0, 1/n); alpha 1e-4 two-sided each: |z| < 3.9.
  // Of W with sign(W): sqrt(2/pi), variance (1 - 3/pi)/n (delta method); with S sign(W), S = |N(0, 1)|: 2/pi.
  Bench bench(Network({64, 100, 80, 5}, Activation::tanh));
  const double n[] = {80 * 100, 5 * 80};
  const auto fa = bench.make("fa", nullptr)->weight_alignment(bench.net, {});
  const auto uniform = bench.make("sign_symmetric", nullptr)->weight_alignment(bench.net, {});
  const auto fixed = bench.make("sign_symmetric", nullptr, {{"size", "fixed"}})->weight_alignment(bench.net, {});
  MatrixFeedback feedback(5, 100);
  const auto dfa = bench.make("dfa", &feedback)->weight_alignment(bench.net, feedback.matrix());
  const double direct[] = {100 * 5, 80 * 5};
  REQUIRE((fa.size() == 2 && uniform.size() == 2 && fixed.size() == 2 && dfa.size() == 2));
  for (std::size_t l = 0; l < 2; ++l) {
    CHECK(std::fabs(fa[l]) < 3.9 / std::sqrt(n[l]));
    CHECK(std::fabs(uniform[l] - std::sqrt(2 / M_PI)) < 3.9 * std::sqrt((1 - 3 / M_PI) / n[l]));
    CHECK(std::fabs(fixed[l] - 2 / M_PI) < 3.9 / std::sqrt(n[l]));  // its variance is below 1/n
    CHECK(std::fabs(dfa[l]) < 3.9 / std::sqrt(direct[l]));
  }
  CHECK(bench.make("bp", nullptr)->weight_alignment(bench.net, {}).empty());
  CHECK(bench.make("dfa", &feedback)->weight_alignment(bench.net, {}).empty());
}

TEST_CASE("the weights of a linear net trained by feedback alignment turn towards the feedback, from chance") {
  // Null: chance, N(0, 1/n), alpha 1e-4 two-sided, seed 2. It stands before and falls after in every layer (Lillicrap
  // et al. 2016, figure 2: a linear net of 30-20-10; theorem 1).
  for (const char* name : {"fa", "dfa"}) {
    Network net({30, 20, 20, 10}, Activation::identity);
    net.initialise(2);
    const bool direct = name == std::string("dfa");
    MatrixFeedback feedback(10, 20);
    const RuleModel& known = rule(name);
    const auto made =
        known.make({.net = net, .seed = 2, .params = ParamSet("rule", known.info.params), .feedback = &feedback});
    const double n[] = {direct ? 200. : 400., 200};
    const std::vector<double> before = made->weight_alignment(net, feedback.matrix());
    fit_linear_map(net, *made, 2000, 0.02);
    const std::vector<double> after = made->weight_alignment(net, feedback.matrix());
    for (std::size_t l = 0; l < 2; ++l) {
      INFO(name << " layer " << l << ": " << before[l] << " to " << after[l]);
      CHECK(std::fabs(before[l]) < 3.9 / std::sqrt(n[l]));
      CHECK(after[l] > 3.9 / std::sqrt(n[l]));
    }
  }
}

TEST_CASE("with the weights themselves as feedback, convolutions, norms and residuals learn as by back-propagation") {
  Bench bench(
      model("6x6x2 | conv 4 3, layer_norm, relu | residual(conv 4 3 groups=2, tanh; conv 4 1), depthwise 3 | "
            "max_pool 2, flatten, dense 7, elu, dense 5"));
  auto path = std::make_shared<ReturnPath>(bench.net);
  const auto fa = chain_rule(rule("fa").info, path), bp = bench.make("bp", nullptr);
  CHECK(path->places().size() == 5);  // not the first convolution: nothing learns below it
  for (std::size_t k = 0; k < path->places().size(); ++k)
    std::copy_n(bench.net.parameters().data() + path->places()[k].weights.offset, path->matrix(k).size(),
                path->matrix(k).data());
  const std::vector<float> exact = bench.gradient(*bp);
  CHECK(bench.gradient(*fa) == exact);
  for (Index l = 0; l < 2; ++l)
    for (Index r = 0; r < 12; ++r)
      CHECK(std::ranges::equal(fa->teaching_signal(l).row(r), bp->teaching_signal(l).row(r)));
  for (const char* name : {"fa", "sign_symmetric"}) {
    const std::vector<float> other = bench.gradient(*bench.make(name, nullptr));
    const auto last = std::ptrdiff_t(exact.size() - 8 * 5);  // the output layer needs no feedback
    CHECK(std::equal(other.begin() + last, other.end(), exact.begin() + last));
    CHECK_FALSE(std::equal(other.begin(), other.begin() + last, exact.begin()));
  }
  CHECK_THROWS_WITH(ReturnPath(model("6 | binary_dense 4, dense 5")), Catch::Contains("binary_dense"));
}

TEST_CASE("with the weights themselves as feedback, attention and graph layers learn as by back-propagation") {
  std::vector<std::pair<std::int32_t, std::int32_t>> ring;
  for (std::int32_t i = 0; i < 12; ++i) ring.emplace_back(i, (i + 1) % 12);
  const ModelContext graph{
      .input = {9}, .classes = 5, .graph = std::make_shared<const Graph>(undirected_graph(12, ring))};
  const std::pair<Network, std::size_t> nets[] = {
      {model("4x6 | layer_norm, attention 2 causal | residual(attention 3), tanh | flatten, dense 5"), 5},
      {Network(parse_model("gcn 8, tanh | sage 6, tanh | gat 4 2, tanh | gcn classes", graph)), 4}};
  for (const auto& [net, places] : nets) {
    Bench bench(net);
    auto path = std::make_shared<ReturnPath>(bench.net);
    CHECK(path->places().size() == places);
    for (std::size_t k = 0; k < path->places().size(); ++k)
      std::copy_n(bench.net.parameters().data() + path->places()[k].weights.offset, path->matrix(k).size(),
                  path->matrix(k).data());
    const auto fa = chain_rule(rule("fa").info, path);
    const std::vector<float> exact = bench.gradient(*bench.make("bp", nullptr));
    CHECK(bench.gradient(*fa) == exact);
    for (std::size_t k = 0; k < path->places().size(); ++k) {  // each of them is a way back
      for (float& v : std::span(path->matrix(k).data(), std::size_t(path->matrix(k).size()))) v = -v;
      INFO(k);
      CHECK(bench.gradient(*fa) != exact);
      for (float& v : std::span(path->matrix(k).data(), std::size_t(path->matrix(k).size()))) v = -v;
    }
  }
}

TEST_CASE("sign symmetry of a small convolutional net equals its definition in double precision") {
  constexpr int kSide = 4, kIn = 2, kOut = 3, kPixels = kSide * kSide;
  Bench bench(model("4x4x2 | conv 3 3, tanh | depthwise 3, tanh | flatten, dense 5"));
  const auto made = bench.make("sign_symmetric", nullptr, {{"scale", 1.5}});
  const std::vector<float> found = bench.gradient(*made);
  const std::span<const float> w = std::as_const(bench.net).parameters();
  const std::size_t at_depthwise = kOut * (9 * kIn + 1), at_dense = at_depthwise + kOut * (9 + 1);
  std::vector<double> g(found.size());
  const auto sign = [&w](std::size_t i) { return w[i] > 0 ? 1.0 : w[i] < 0 ? -1.0 : 0.0; };
  const auto each_tap = [](const auto& f) {  // (pixel out, pixel in, tap)
    for (int i = 0; i < kPixels; ++i)
      for (int tap = 0; tap < 9; ++tap) {
        const int row = i / kSide + tap / 3 - 1, col = i % kSide + tap % 3 - 1;
        if (row >= 0 && row < kSide && col >= 0 && col < kSide) f(i, row * kSide + col, tap);
      }
  };
  for (Index r = 0; r < 12; ++r) {
    const auto x = bench.x.row(r), h1 = bench.activations.h[1].row(r), h2 = bench.activations.h[2].row(r),
               e = bench.error.row(r);
    std::vector<double> d2(kPixels * kOut), d1(kPixels * kOut);
    for (std::size_t k = 0; k < d2.size(); ++k) {
      for (std::size_t c = 0; c < 5; ++c) {
        const std::size_t weight = at_dense + c * d2.size() + k;
        d2[k] += double(e[c]) * sign(weight) * 1.5 / std::sqrt(48.0);
        g[weight] += double(e[c]) * double(h2[k]) / 12;
      }
      d2[k] *= 1 - double(h2[k]) * double(h2[k]);
    }
    for (std::size_t c = 0; c < 5; ++c) g[at_dense + 5 * d2.size() + c] += double(e[c]) / 12;
    each_tap([&](int out, int in, int tap) {
      for (int o = 0; o < kOut; ++o) {
        const std::size_t weight = at_depthwise + std::size_t(o * 9 + tap), from = std::size_t(out * kOut + o),
                          to = std::size_t(in * kOut + o);
        d1[to] += d2[from] * sign(weight) * 1.5 * std::sqrt(2.0 / 9);
        g[weight] += d2[from] * double(h1[to]) / 12;
      }
    });
    for (std::size_t k = 0; k < d1.size(); ++k) {
      d1[k] *= 1 - double(h1[k]) * double(h1[k]);
      g[at_depthwise + 9 * kOut + k % kOut] += d2[k] / 12;
      g[9 * kIn * kOut + k % kOut] += d1[k] / 12;
    }
    each_tap([&](int out, int in, int tap) {
      for (int o = 0; o < kOut; ++o)
        for (int c = 0; c < kIn; ++c)
          g[std::size_t((o * 9 + tap) * kIn + c)] +=
              d1[std::size_t(out * kOut + o)] * double(x[std::size_t(in * kIn + c)]) / 12;
    });
  }
  double worst = 0;
  for (std::size_t i = 0; i < g.size(); ++i) worst = std::max(worst, std::fabs(double(found[i]) - g[i]));
  CHECK(worst < 2e-6);
}
