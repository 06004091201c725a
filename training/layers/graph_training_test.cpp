// A graph network learns from few labels what its edges say.
#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "training/layers/architecture.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"
#include "training/optimizer.hpp"
#include "training/rules/blocks.hpp"

using namespace lightloop;

namespace {

constexpr Index kNodes = 90, kGroups = 3;

/// Three groups; an edge within a group has probability 0.2, between groups 0.01.
std::shared_ptr<const Graph> groups() {
  const Stream draws(3, 0, Purpose::user);
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t i = 0; i < kNodes; ++i)
    for (std::int32_t j = 0; j < i; ++j)
      if (draws.uniform(std::uint64_t(i), std::uint64_t(j)) < (i % kGroups == j % kGroups ? 0.2 : 0.01))
        pairs.emplace_back(i, j);
  return std::make_shared<const Graph>(with_self_loops(undirected_graph(kNodes, pairs)));
}

/// Trains on the first 12 nodes' labels; right answers among the others.
double accuracy(const std::string& text, std::shared_ptr<const Graph> graph) {
  const ModelContext context{{16}, kGroups, std::move(graph)};
  Network net(parse_model(expand_preset(text, context), context));
  net.initialise(1);
  Activations activations;
  activations.h.resize(1);
  activations.h[0].resize(kNodes, 16);
  const Stream noise(4, 0, Purpose::user);
  std::vector<std::uint8_t> labels;
  for (Index i = 0; i < kNodes; ++i) {
    noise.normal(std::uint64_t(i), 0, activations.h[0].row(i));
    activations.h[0](i, i % kGroups) += 1.0f;  // a hint drowned in noise
    labels.push_back(std::uint8_t(i % kGroups));
  }
  Matrix<float> error(kNodes, kGroups), gradient(1, Index(net.parameters().size()));
  OptimizerState state = optimizer_state({}, gradient.cols());
  std::vector<Matrix<float>> delta;
  std::vector<LayerMemory> work;
  for (int step = 0; step < 60; ++step) {
    forward(net, activations.h[0], activations,
            {.training = true, .seed = 1, .first_sample = std::uint64_t(step * kNodes)});
    output_error(Loss::cross_entropy, activations.h.back(), labels, error);
    for (Index i = 12; i < kNodes; ++i) std::ranges::fill(error.row(i), 0.0f);
    back_through_blocks(net, activations, error, delta, gradient.flat(), work);
    divide(gradient.flat(), 12);
    optimizer_step({}, state, 0.02, gradient.flat(), net.parameters());
  }
  forward(net, activations.h[0], activations);
  double right = 0;
  for (Index i = 12; i < kNodes; ++i) {
    const auto row = activations.h.back().row(i);
    right += std::ranges::max_element(row) - row.begin() == i % kGroups;
  }
  return right / double(kNodes - 12);
}

}  // namespace

TEST_CASE("graph networks beat what features alone tell") {
  const auto raw = groups();
  const double alone = accuracy("dense 16, relu | dense classes", nullptr);
  CHECK(accuracy("gcn:16", raw) > alone + 0.2);
  CHECK(accuracy("sage 16, relu | sage classes", raw) > alone + 0.2);
  CHECK(accuracy("gat 16 2, relu | gat classes 1", raw) > alone + 0.2);
}
