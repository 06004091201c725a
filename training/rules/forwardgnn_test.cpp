// ForwardGNN with signals from the layers above: losses against their definition, gradients against differences.
#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/rules/local_loss_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

constexpr Index kNodes = 12, kClasses = 5;
const char* const kText = "gcn 8, tanh | gcn 8, tanh | gcn 8, tanh | gcn classes";
using Edges = std::vector<std::pair<std::int32_t, std::int32_t>>;

Network on_graph(Index nodes, const Edges& edges) {
  return Network(parse_model(
      kText,
      {.input = {9}, .classes = kClasses, .graph = std::make_shared<const Graph>(undirected_graph(nodes, edges))}));
}

Edges ring() {
  Edges edges;
  for (std::int32_t i = 0; i < kNodes; ++i) edges.emplace_back(i, (i + 1) % kNodes);
  return edges;
}

std::vector<Row> of_length_one(const Matrix<float>& h) {
  std::vector<Row> rows;
  for (Index r = 0; r < h.rows(); ++r) {
    Row row = row_of(h.row(r));
    const double length = std::sqrt(squares(row));
    for (double& v : row) v /= length;
    rows.push_back(row);
  }
  return rows;
}

/// What every block gives out on the graph with its class nodes.
std::vector<Matrix<float>> outputs(const Bench& bench) {
  Edges edges = ring();
  for (std::int32_t i = 0; i < kNodes; ++i) edges.emplace_back(i, kNodes + bench.labels[std::size_t(i)]);
  const Network net = on_graph(kNodes + kClasses, edges);
  Matrix<float> x(kNodes + kClasses, 9);
  for (Index r = 0; r < kNodes; ++r) std::ranges::copy(bench.x.row(r), x.row(r).begin());
  for (Index c = 0; c < kClasses; ++c) Stream(1, 0, kRuleFixed).normal(std::uint64_t(c), 0, x.row(kNodes + c));
  std::vector<Matrix<float>> all;
  for (Index b = 0; b < net.layers(); ++b) {
    const std::vector<Row> rows = of_length_one(b == 0 ? x : all.back());
    Matrix<float> in(kNodes + kClasses, b == 0 ? 9 : 8), h(kNodes + kClasses, net.widths()[std::size_t(b) + 1]);
    for (Index r = 0; r < in.rows(); ++r)
      for (Index c = 0; c < in.cols(); ++c) in(r, c) = float(rows[std::size_t(r)][std::size_t(c)]);
    LayerMemory memory;
    net.model()->block(b).forward({}, net.model()->block_input(b, bench.net.parameters(), {}, in), h, memory);
    all.push_back(h);
  }
  return all;
}

/// Mean cross-entropy of hidden block b: its own output, and those above it of an earlier step.
double loss_of(const Bench& bench, std::size_t b, const std::vector<Matrix<float>>& now,
               const std::vector<Matrix<float>>& before) {
  std::vector<Row> seen;
  for (Index r = 0; r < kNodes + kClasses; ++r) seen.push_back(row_of(now[b].row(r)));
  for (std::size_t l = b + 1; l < 3; ++l) {
    const std::vector<Row> above = of_length_one(before[l]);
    for (std::size_t r = 0; r < seen.size(); ++r)
      for (std::size_t i = 0; i < 8; ++i) seen[r][i] += above[r][i];
  }
  for (Row& row : seen)
    for (double& v : row) v /= double(3 - b);
  return mean(bench, [&](Index r) {
    Row logits;
    for (Index c = 0; c < kClasses; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < 8; ++i) sum += seen[std::size_t(r)][i] * seen[std::size_t(kNodes + c)][i];
      logits.push_back(sum / 0.5);
    }
    return cross_entropy(logits, label(bench, r));
  });
}

const Settings kTopDown{{"top_down", "loss"}, {"temperature", 0.5}};

}  // namespace

TEST_CASE("ForwardGNN from the top down: layers answer with those above them as they were a step before") {
  Bench bench(on_graph(kNodes, ring()));
  const auto rule = bench.make("forwardgnn", nullptr, kTopDown),
             plain = bench.make("forwardgnn", nullptr, {{"temperature", 0.5}});
  const std::vector<Matrix<float>> first = outputs(bench);
  const auto check = [&](const std::vector<Matrix<float>>& before) {
    const std::vector<Matrix<float>> now = outputs(bench);
    for (const std::size_t b : {0, 1, 2}) CHECK(rule->layer_loss()[b] == Approx(loss_of(bench, b, now, before)));
  };
  losses(bench, *rule);
  check(first);
  for (float& w : bench.net.parameters()) w *= 1.5f;
  const auto found = losses(bench, *rule), own = losses(bench, *plain);
  check(first);
  CHECK(found[0] != Approx(own[0]));
  CHECK(found[2] == Approx(own[2]));  // nothing is above
  CHECK(found[3] == Approx(own[3]));
  CHECK(rule->touched().passes == 4 * (kNodes + kClasses));
}

TEST_CASE("ForwardGNN from the top down: gradients are differences of the layers' losses, state comes back") {
  Bench bench(on_graph(kNodes, ring()));
  const auto rule = bench.make("forwardgnn", nullptr, kTopDown), other = bench.make("forwardgnn", nullptr, kTopDown);
  bench.gradient(*rule);
  const std::vector<std::byte> state = rule->snapshot();
  for (float& w : bench.net.parameters()) w *= 1.2f;
  const std::vector<float> g = bench.gradient(*rule, 1);
  other->restore(state);
  CHECK(bench.gradient(*other, 1) == g);
  for (Index b = 0; b < 4; ++b) {
    const auto first = std::size_t(bench.net.offset(b));
    double bad = 0, largest = 0;
    for (std::size_t i = first; i < first + 40; ++i) {
      const float keep = bench.net.parameters()[i];
      const auto at = [&](float w) {
        bench.net.parameters()[i] = w;
        rule->restore(state);
        bench.gradient(*rule, 1);
        return rule->layer_loss()[std::size_t(b)];
      };
      const double above = at(keep + 4e-3f), below = at(keep - 4e-3f);
      bench.net.parameters()[i] = keep;
      bad = std::max(bad, std::fabs((above - below) / (double(keep + 4e-3f) - double(keep - 4e-3f)) - double(g[i])));
      largest = std::max(largest, std::fabs(double(g[i])));
    }
    INFO("block " << b);
    CHECK(bad < 3e-3 * largest);
  }
  CHECK_THROWS_AS(rule->restore({state.begin(), state.end() - 1}), InvalidParameter);
}

TEST_CASE("ForwardGNN from the top down: an answer needs no step before, and does not disturb the next") {
  Bench bench(on_graph(kNodes, ring()));
  const auto rule = bench.make("forwardgnn", nullptr, kTopDown);
  bench.gradient(*rule);
  const std::vector<std::byte> state = rule->snapshot();
  Matrix<float> answer(kNodes, kClasses), fresh(kNodes, kClasses);
  rule->scores(bench.net, bench.x, answer);
  CHECK(rule->snapshot() == state);
  const auto reader = bench.make("forwardgnn", nullptr, kTopDown);
  std::ranges::copy(rule->own().values, reader->own().values.begin());
  reader->scores(bench.net, bench.x, fresh);
  CHECK(std::ranges::equal(answer.flat(), fresh.flat()));
  for (Index r = 0; r < kNodes; ++r) {
    double total = 0;
    for (const float p : answer.row(r)) total += double(p);
    CHECK(total == Approx(4));  // probabilities of four layers
  }
}

TEST_CASE("ForwardGNN from the top down wants two hidden layers or more, equally wide") {
  for (const char* text : {"gcn 8, tanh | gcn classes", "gcn 8, tanh | gcn 6, tanh | gcn classes"}) {
    Bench bench(Network(parse_model(text, {.input = {9},
                                           .classes = kClasses,
                                           .graph = std::make_shared<const Graph>(undirected_graph(kNodes, ring()))})));
    CHECK_THROWS_WITH(bench.make("forwardgnn", nullptr, kTopDown), Catch::Contains("equally wide"));
  }
}
