#include "training/layers/graph.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"

namespace lightloop {
namespace {

struct Edge {
  std::int32_t from, to;  ///< `from` hears `to`
  float weight;
};

/// Sorts the edges and keeps the first of equal pairs.
Graph from_edges(Index nodes, std::vector<Edge> edges) {
  const auto pair = [](const Edge& e) { return std::pair(e.from, e.to); };
  std::ranges::stable_sort(edges, {}, pair);
  const auto same = [&](const Edge& a, const Edge& b) { return pair(a) == pair(b); };
  edges.erase(std::unique(edges.begin(), edges.end(), same), edges.end());
  Graph graph;
  graph.nodes = nodes;
  graph.begin.assign(static_cast<std::size_t>(nodes) + 1, 0);
  for (const Edge& e : edges) {
    ++graph.begin[static_cast<std::size_t>(e.from) + 1];
    graph.neighbour.push_back(e.to);
    graph.weight.push_back(e.weight);
  }
  for (std::size_t i = 1; i < graph.begin.size(); ++i) graph.begin[i] += graph.begin[i - 1];
  return graph;
}

template <class Each>
void each_edge(const Graph& graph, const Each& each) {
  for (Index i = 0; i < graph.nodes; ++i)
    for (Index k = graph.begin[static_cast<std::size_t>(i)]; k < graph.begin[static_cast<std::size_t>(i) + 1]; ++k)
      each(static_cast<std::int32_t>(i), static_cast<std::size_t>(k));
}

std::vector<double> row_sums(const Graph& graph) {
  std::vector<double> sums(static_cast<std::size_t>(graph.nodes), 0.0);
  each_edge(graph, [&](std::int32_t i, std::size_t k) {
    sums[static_cast<std::size_t>(i)] += static_cast<double>(graph.weight[k]);
  });
  return sums;
}

}  // namespace

Graph undirected_graph(Index nodes, std::span<const std::pair<std::int32_t, std::int32_t>> pairs) {
  std::vector<Edge> edges;
  for (const auto& [a, b] : pairs) {
    if (std::min(a, b) < 0 || std::max(a, b) >= nodes)
      throw OutOfRange("edge of a graph", std::to_string(a) + "-" + std::to_string(b),
                       "nodes 0 to " + std::to_string(nodes - 1));
    edges.push_back({a, b, 1.0f});
    edges.push_back({b, a, 1.0f});
  }
  return from_edges(nodes, std::move(edges));
}

Graph with_self_loops(const Graph& graph) {
  std::vector<Edge> edges;
  each_edge(graph, [&](std::int32_t i, std::size_t k) { edges.push_back({i, graph.neighbour[k], graph.weight[k]}); });
  for (Index i = 0; i < graph.nodes; ++i)
    edges.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(i), 1.0f});
  return from_edges(graph.nodes, std::move(edges));
}

Graph normalised(const Graph& graph) {
  Graph result = with_self_loops(graph);
  const std::vector<double> degree = row_sums(result);
  each_edge(result, [&](std::int32_t i, std::size_t k) {
    const double both = degree[static_cast<std::size_t>(i)] * degree[static_cast<std::size_t>(result.neighbour[k])];
    result.weight[k] = static_cast<float>(static_cast<double>(result.weight[k]) / std::sqrt(both));
  });
  return result;
}

Graph row_normalised(const Graph& graph) {
  Graph result = graph;
  const std::vector<double> sums = row_sums(result);
  each_edge(result, [&](std::int32_t i, std::size_t k) {
    const double sum = sums[static_cast<std::size_t>(i)];
    result.weight[k] = sum == 0 ? 0.0f : static_cast<float>(static_cast<double>(result.weight[k]) / sum);
  });
  return result;
}

Graph transposed(const Graph& graph) {
  std::vector<Edge> edges;
  each_edge(graph, [&](std::int32_t i, std::size_t k) { edges.push_back({graph.neighbour[k], i, graph.weight[k]}); });
  return from_edges(graph.nodes, std::move(edges));
}

void multiply(const Graph& graph, View<const float> x, View<float> y) {
  if (x.rows() != graph.nodes || y.rows() != graph.nodes || x.cols() != y.cols())
    throw ShapeMismatch("batch of a graph layer", std::to_string(x.rows()) + " rows",
                        "the graph has " + std::to_string(graph.nodes) + " nodes",
                        "give every node as one row of one batch");
  for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      float* __restrict out = y.row(i).data();
      std::fill_n(out, y.cols(), 0.0f);
      for (Index k = graph.begin[static_cast<std::size_t>(i)]; k < graph.begin[static_cast<std::size_t>(i) + 1]; ++k) {
        const float w = graph.weight[static_cast<std::size_t>(k)];
        const float* __restrict in = x.row(graph.neighbour[static_cast<std::size_t>(k)]).data();
        for (Index c = 0; c < y.cols(); ++c) out[c] += w * in[c];
      }
    }
  });
}

}  // namespace lightloop
