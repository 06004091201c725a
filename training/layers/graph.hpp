#pragma once
// A weighted directed graph in compressed rows: what graph layers multiply with.
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// Row i lists the nodes that node i hears, with a weight each, in ascending order.
struct Graph {
  Index nodes = 0;
  std::vector<Index> begin;  ///< nodes + 1 places in the other two
  std::vector<std::int32_t> neighbour;
  std::vector<float> weight;
  Index edges() const { return static_cast<Index>(neighbour.size()); }
};

/// Both directions of every pair, weight 1; repeated pairs count once, self-loops are kept. Throws OutOfRange for a
/// node that is not there.
Graph undirected_graph(Index nodes, std::span<const std::pair<std::int32_t, std::int32_t>> pairs);
/// A + I: every node hears itself, weight 1 where it did not yet.
Graph with_self_loops(const Graph& graph);
/// D^-1/2 (A + I) D^-1/2 with D the row sums of A + I (Kipf, Welling, ICLR 2017, equation 2).
Graph normalised(const Graph& graph);
/// Rows divided by their sum: a mean over neighbours. Rows without weight stay empty.
Graph row_normalised(const Graph& graph);
Graph transposed(const Graph& graph);
/// y = A x, rows of x (nodes, k) being the nodes. Each row of y is summed in the order of its neighbours.
void multiply(const Graph& graph, View<const float> x, View<float> y);

}  // namespace lightloop
