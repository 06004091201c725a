// Layers that mix tokens or nodes.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/layer_checks_for_tests.hpp"

using namespace lightloop;
using test::Bench;

TEST_CASE("attention: derivative against finite differences, equal bits for any threads and batch") {
  for (const bool causal : {false, true}) {
    Bench bench(attention({5, 6}, 2, causal), 2);
    test::check_derivative(bench, 5e-3);
    test::check_bits(bench);
  }
}

TEST_CASE("causal attention: what a token gives out does not change with the tokens behind it") {
  for (const bool causal : {true, false}) {
    Bench bench(attention({6, 4}, 2, causal), 1);
    bench.forward();
    const Matrix<float> before = bench.y;
    for (Index c = 0; c < 4; ++c) bench.x(0, 4 * 4 + c) += 1.0f;  // token 4
    bench.forward();
    const auto same = [&](Index token) {
      return std::ranges::equal(before.row(0).subspan(std::size_t(4 * token), 4),
                                std::as_const(bench.y).row(0).subspan(std::size_t(4 * token), 4));
    };
    for (Index token = 0; token < 6; ++token) CHECK(same(token) == (causal && token < 4));
  }
}

TEST_CASE("attention without a mask does not know the order of tokens, equal tokens are averaged to themselves") {
  Bench bench(attention({4, 6}, 3, false), 1);
  bench.forward();
  const Matrix<float> before = bench.y;
  std::swap_ranges(bench.x.data(), bench.x.data() + 6, bench.x.data() + 18);
  bench.forward();
  for (Index c = 0; c < 6; ++c) {
    CHECK(bench.y(0, c) == Approx(before(0, 18 + c)).margin(1e-6));
    CHECK(bench.y(0, 6 + c) == Approx(before(0, 6 + c)).margin(1e-6));
  }
  CHECK_THROWS_WITH(attention({4, 6}, 4, false), Catch::Contains("must divide"));
}

TEST_CASE("embedding: rows of the table plus the position, derivative against finite differences") {
  Bench bench(embedding({3}, 5, 4), 2);
  const float codes[] = {0, 4, 4, 2, 0, 4};
  std::ranges::copy(codes, bench.x.data());
  bench.forward();
  for (Index c = 0; c < 4; ++c)
    CHECK(bench.y(1, 2 * 4 + c) == bench.parameters(0, 4 * 4 + c) + bench.parameters(0, (5 + 2) * 4 + c));
  test::check_derivative(bench, 2e-3, false);
  bench.x(0, 0) = 5;
  CHECK_THROWS_AS(bench.forward(), OutOfRange);
  bench.x(0, 0) = 0.5f;
  CHECK_THROWS_AS(bench.forward(), OutOfRange);
}

namespace {

/// A path 0 - 1 - 2 and a node 3 that stands alone.
std::shared_ptr<const Graph> path() {
  const std::pair<std::int32_t, std::int32_t> pairs[] = {{0, 1}, {1, 2}, {2, 1}};
  return std::make_shared<const Graph>(undirected_graph(4, pairs));
}

std::shared_ptr<const Graph> directed() {
  Graph graph = with_self_loops(*path());
  for (std::size_t k = 0; k < graph.weight.size(); ++k) graph.weight[k] = 0.3f + 0.2f * float(k);  // A is not A^T
  return std::make_shared<const Graph>(graph);
}

}  // namespace

TEST_CASE("graphs: pairs counted once, the transpose of the transpose is the graph, rows sum as they should") {
  CHECK(path()->begin == std::vector<Index>{0, 1, 3, 4, 4});
  CHECK(path()->neighbour == std::vector<std::int32_t>{1, 0, 2, 1});
  const Graph twice = transposed(transposed(*directed()));
  CHECK(twice.weight == directed()->weight);
  CHECK(twice.neighbour == directed()->neighbour);
  const Graph a = normalised(*path());
  // degrees with self-loops: 2, 3, 2, 1
  CHECK(a.weight[0] == Approx(1 / 2.0));
  CHECK(a.weight[1] == Approx(1 / std::sqrt(6.0)));
  CHECK(a.weight[3] == Approx(1 / 3.0));
  CHECK(a.weight.back() == Approx(1));
  const std::pair<std::int32_t, std::int32_t> bad[] = {{0, 4}};
  CHECK_THROWS_AS(undirected_graph(4, bad), OutOfRange);
}

TEST_CASE("graph convolution on a known graph: y = A x W^T + b") {
  Bench bench(graph_convolution(std::make_shared<const Graph>(normalised(*path())), {1}, 1), 4);
  bench.parameters(0, 0) = 2;
  bench.parameters(0, 1) = 0.5f;
  for (Index i = 0; i < 4; ++i) bench.x(i, 0) = float(i + 1);
  bench.forward();
  CHECK(bench.y(0, 0) == Approx(2 * (1 / 2.0 + 2 / std::sqrt(6.0)) + 0.5));
  CHECK(bench.y(1, 0) == Approx(2 * (1 / std::sqrt(6.0) + 2 / 3.0 + 3 / std::sqrt(6.0)) + 0.5));
  CHECK(bench.y(3, 0) == Approx(2 * 4 + 0.5));
  LayerMemory memory;
  Matrix<float> y(2, 1);
  CHECK_THROWS_AS(bench.layer->forward({}, {bench.parameters.flat(), {}, bench.x.view().rows(0, 2)}, y, memory),
                  ShapeMismatch);
}

TEST_CASE("graph layers: derivative against finite differences, on a graph whose matrix is not symmetric") {
  Bench gcn(graph_convolution(directed(), {3}, 4), 4);
  test::check_derivative(gcn);
  test::check_bits(gcn, false);
  Bench sage(graph_sage(directed(), {3}, 4), 4);
  test::check_derivative(sage);
  test::check_bits(sage, false);
  for (const Index heads : {1, 2}) {
    Bench gat(graph_attention(directed(), {3}, 4, heads), 4);
    test::check_derivative(gat, 5e-3);
    test::check_bits(gat, false);
  }
}

TEST_CASE("sage: equal neighbours mean as much as one, gat: equal nodes share equally, a node alone hears itself") {
  Bench sage(graph_sage(path(), {2}, 2), 4);
  for (Index c = 0; c < 2; ++c) sage.x(2, c) = sage.x(0, c);
  sage.forward();
  const Matrix<float> both = sage.y;
  const std::pair<std::int32_t, std::int32_t> one[] = {{0, 1}};
  Bench fewer(graph_sage(std::make_shared<const Graph>(undirected_graph(4, one)), {2}, 2), 4);
  fewer.x = sage.x;
  fewer.forward();
  for (Index c = 0; c < 2; ++c) CHECK(fewer.y(1, c) == Approx(both(1, c)).margin(1e-6));

  auto loops = std::make_shared<const Graph>(with_self_loops(*path()));
  Bench gat(graph_attention(loops, {2}, 2, 1), 4);
  for (Index i = 1; i < 4; ++i)
    for (Index c = 0; c < 2; ++c) gat.x(i, c) = gat.x(0, c);
  gat.forward();
  for (Index i = 0; i < 4; ++i)
    for (Index c = 0; c < 2; ++c) {
      const double own = double(gat.parameters(0, 2 * c)) * double(gat.x(0, 0)) +
                         double(gat.parameters(0, 2 * c + 1)) * double(gat.x(0, 1)) + double(gat.parameters(0, 8 + c));
      CHECK(double(gat.y(i, c)) == Approx(own).margin(1e-6));
    }
}

TEST_CASE("factorisation: the vectors, then the sum over pairs, derivative against finite differences") {
  Bench bench(factorisation({4, 3}), 2);
  bench.forward();
  for (Index c = 0; c < 3; ++c) {
    float pairs = 0;
    for (Index f = 0; f < 4; ++f)
      for (Index g = 0; g < f; ++g) pairs += bench.x(1, 3 * f + c) * bench.x(1, 3 * g + c);
    CHECK(bench.y(1, 12 + c) == Approx(pairs).margin(1e-5));
    CHECK(bench.y(1, c) == bench.x(1, c));
  }
  test::check_derivative(bench, 5e-3);
  test::check_bits(bench);
  CHECK_THROWS_AS(factorisation({12}), ShapeMismatch);
}
