// Neighbours weighted by what they say: graph attention.
#include <cmath>

#include "core/linalg.hpp"
#include "training/layers/initial.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr float kSlope = 0.2f;

/// Places of node i's edges.
struct Edges {
  Edges(const Graph& graph, Index i)
      : first(graph.begin[static_cast<std::size_t>(i)]), last(graph.begin[static_cast<std::size_t>(i) + 1]) {}
  Index first, last;
};

class GraphAttention : public NetLayer {
 public:
  GraphAttention(std::shared_ptr<const Graph> graph, const Shape& input, Index outputs, Index heads)
      : NetLayer(input, {outputs}), graph_(std::move(graph)), heads_(heads), each_(outputs / heads) {
    // place of every edge among those that lead to the same node
    heard_by_.begin.assign(static_cast<std::size_t>(graph_->nodes) + 1, 0);
    for (const std::int32_t j : graph_->neighbour) ++heard_by_.begin[static_cast<std::size_t>(j) + 1];
    for (std::size_t i = 1; i < heard_by_.begin.size(); ++i) heard_by_.begin[i] += heard_by_.begin[i - 1];
    heard_by_.neighbour.resize(graph_->neighbour.size());
    edge_.resize(graph_->neighbour.size());
    std::vector<Index> next(heard_by_.begin.begin(), heard_by_.begin.end() - 1);
    for (Index i = 0; i < graph_->nodes; ++i) {
      const Edges edges(*graph_, i);
      for (Index k = edges.first; k < edges.last; ++k) {
        const Index place = next[static_cast<std::size_t>(neighbour(k))]++;
        heard_by_.neighbour[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(i);
        edge_[static_cast<std::size_t>(place)] = k;
      }
    }
  }
  std::string text() const override { return "gat " + std::to_string(outputs()) + " " + std::to_string(heads_); }
  Index parameters() const override { return outputs() * (inputs() + 3); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, 1.0, {parameters.data(), outputs(), inputs()});
    // one row per head and side: N(0, 1 / features of a head)
    normal_weights(seed, instance, 1.0, {parameters.data() + outputs() * inputs(), 2 * heads_, each_},
                   static_cast<std::uint64_t>(outputs()));
  }

  /// The scores' vectors stay in memory.
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    all.push_back({product_number(instance, 0), offset, outputs(), inputs()});
  }
  /// Errors of the scores go through their own vectors.
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, outputs(), inputs(), 1.0});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override;
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override;
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override;

 private:
  Index neighbour(Index k) const { return graph_->neighbour[static_cast<std::size_t>(k)]; }
  View<const float> weights(const LayerInput& in) const { return {in.parameters.data(), outputs(), inputs()}; }
  /// l (side 0) or r (side 1) of one head.
  const float* vector(const LayerInput& in, Index side, Index head) const {
    return in.parameters.data() + outputs() * inputs() + side * outputs() + head * each_;
  }
  /// l . z_i, then r . z_i of every head: (nodes, 2 heads).
  void scores(const LayerInput& in, View<const float> z, View<float> out) const {
    for_rows(z.rows(), z.cols(), [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i)
        for (Index h = 0; h < heads_; ++h)
          for (Index side = 0; side < 2; ++side)
            out(i, side * heads_ + h) = dot(vector(in, side, h), &z(i, h * each_), each_);
    });
  }
  static float dot(const float* a, const float* b, Index n) {
    float sum = 0;
    for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }

  std::shared_ptr<const Graph> graph_;
  Index heads_, each_;
  Graph heard_by_;           ///< who hears node j; weights unused
  std::vector<Index> edge_;  ///< the edge of graph_ at each place of heard_by_
};

/// memory: kept[0] z = x W^T, kept[1] the scores of both sides (nodes, 2 heads), kept[2] a_ij and kept[3] the slope of
/// LeakyReLU, one row per edge.
void GraphAttention::forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const {
  if (in.x.rows() != graph_->nodes)
    throw ShapeMismatch("batch of a graph layer", std::to_string(in.x.rows()) + " rows",
                        "the graph has " + std::to_string(graph_->nodes) + " nodes",
                        "give every node as one row of one batch");
  memory.kept.resize(4);
  Matrix<float>&z = memory.kept[0], &score = memory.kept[1], &share = memory.kept[2], &slope = memory.kept[3];
  z.resize(y.rows(), y.cols());
  score.resize(y.rows(), 2 * heads_);
  share.resize(graph_->edges(), heads_);
  slope.resize(graph_->edges(), heads_);
  layer_product(pass, in.x, weights(in), z, memory);
  scores(in, z, score);
  const float* bias = in.parameters.data() + outputs() * (inputs() + 2);
  for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      std::copy_n(bias, outputs(), y.row(i).begin());
      const Edges edges(*graph_, i);
      for (Index h = 0; h < heads_; ++h) {
        float top = -INFINITY;
        for (Index k = edges.first; k < edges.last; ++k) {
          const float sum = score(i, h) + score(neighbour(k), heads_ + h);
          slope(k, h) = sum > 0 ? 1.0f : kSlope;
          share(k, h) = slope(k, h) * sum;
          top = std::max(top, share(k, h));
        }
        float total = 0;
        for (Index k = edges.first; k < edges.last; ++k) total += share(k, h) = std::exp(share(k, h) - top);
        for (Index k = edges.first; k < edges.last; ++k) {
          share(k, h) /= total;
          const float* from = &std::as_const(z)(neighbour(k), h * each_);
          float* to = &y(i, h * each_);
          for (Index c = 0; c < each_; ++c) to[c] += share(k, h) * from[c];
        }
      }
    }
  });
}

/// With u_k = dy_i . z_j of edge k = (i, j): dscore_k = slope_k a_k (u_k - sum over i's edges of a u).
void GraphAttention::vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy,
                         View<float> dx, std::span<float> dparameters, LayerMemory& work) const {
  const Matrix<float>&z = memory.kept[0], &share = memory.kept[2], &slope = memory.kept[3];
  work.kept.resize(3);
  Matrix<float>&dz = work.kept[0], &dedge = work.kept[1], &dscore = work.kept[2];
  dz.resize(dy.rows(), dy.cols());
  dedge.resize(share.rows(), heads_);
  dscore.resize(dy.rows(), 2 * heads_);
  for_rows(dy.rows(), dy.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      const Edges edges(*graph_, i);
      for (Index h = 0; h < heads_; ++h) {
        float mean = 0, sum = 0;
        for (Index k = edges.first; k < edges.last; ++k) {
          dedge(k, h) = dot(&dy(i, h * each_), &z(neighbour(k), h * each_), each_);
          mean += share(k, h) * dedge(k, h);
        }
        for (Index k = edges.first; k < edges.last; ++k)
          sum += dedge(k, h) = slope(k, h) * share(k, h) * (dedge(k, h) - mean);
        dscore(i, h) = sum;
      }
    }
  });
  for_rows(dy.rows(), dy.cols(), [&](Index first, Index count) {
    for (Index j = first; j < first + count; ++j) {
      std::ranges::fill(dz.row(j), 0.0f);
      const Edges heard(heard_by_, j);
      for (Index h = 0; h < heads_; ++h) {
        float sum = 0;
        for (Index p = heard.first; p < heard.last; ++p) {
          const Index i = heard_by_.neighbour[static_cast<std::size_t>(p)], k = edge_[static_cast<std::size_t>(p)];
          sum += dedge(k, h);
          for (Index c = 0; c < each_; ++c) dz(j, h * each_ + c) += share(k, h) * dy(i, h * each_ + c);
        }
        dscore(j, heads_ + h) = sum;
        for (Index c = 0; c < each_; ++c)
          dz(j, h * each_ + c) += dscore(j, h) * vector(in, 0, h)[c] + sum * vector(in, 1, h)[c];
      }
    }
  });
  if (!dparameters.empty()) {
    const auto end_of_w = static_cast<std::size_t>(outputs() * inputs()), n = static_cast<std::size_t>(outputs());
    gemm(Transpose::yes, Transpose::no, 1.0f, dz, in.x, 0.0f, View<float>(dparameters.data(), outputs(), inputs()));
    work.sums.resize(1, 2 * outputs());
    sum_rows(dy.rows(), work.partial, work.sums.flat(), [&](Index i, double* sums) {
      for (Index c = 0; c < outputs(); ++c)
        for (Index side = 0; side < 2; ++side)
          sums[side * outputs() + c] += static_cast<double>(dscore(i, side * heads_ + c / each_) * z(i, c));
    });
    for (std::size_t c = 0; c < 2 * n; ++c) dparameters[end_of_w + c] = static_cast<float>(work.sums.flat()[c]);
    sum_of_rows(dy, work, dparameters.subspan(end_of_w + 2 * n));
  }
  product_back(memory, in.x, dz, weights(in), dx);
}

/// With s_k the score of edge k = (i, j): da_k = a_k (ds_k - sum over i's edges of a ds), dy_i = sum of da z_j + a
/// dz_j.
void GraphAttention::jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
                         View<const float> dx, View<float> dy, LayerMemory& work) const {
  const Matrix<float>&z = memory.kept[0], &share = memory.kept[2], &slope = memory.kept[3];
  work.kept.resize(3);
  Matrix<float>&dz = work.kept[0], &dscore = work.kept[1], &dedge = work.kept[2];
  dz.resize(dy.rows(), dy.cols());
  dscore.resize(dy.rows(), 2 * heads_);
  dedge.resize(share.rows(), heads_);
  layer_product(pass, dx, weights(in), dz, work);
  scores(in, dz, dscore);
  for_rows(dy.rows(), dy.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      std::ranges::fill(dy.row(i), 0.0f);
      const Edges edges(*graph_, i);
      for (Index h = 0; h < heads_; ++h) {
        float mean = 0;
        for (Index k = edges.first; k < edges.last; ++k) {
          dedge(k, h) = slope(k, h) * (dscore(i, h) + dscore(neighbour(k), heads_ + h));
          mean += share(k, h) * dedge(k, h);
        }
        for (Index k = edges.first; k < edges.last; ++k) {
          const float moved = share(k, h) * (dedge(k, h) - mean);
          for (Index c = h * each_; c < (h + 1) * each_; ++c)
            dy(i, c) += moved * z(neighbour(k), c) + share(k, h) * std::as_const(dz)(neighbour(k), c);
        }
      }
    }
  });
}

}  // namespace

LayerPointer graph_attention(std::shared_ptr<const Graph> graph, Shape input, Index outputs, Index heads) {
  if (input.size() != 1) throw ShapeMismatch("gat", shape_text(input), "one row of features per node");
  check_at_least_one("heads of gat", heads);
  check_at_least_one("outputs of gat", outputs);
  if (outputs % heads != 0)
    throw ShapeMismatch("heads of gat", std::to_string(heads),
                        "must divide its " + std::to_string(outputs) + " outputs");
  return std::make_unique<GraphAttention>(std::move(graph), input, outputs, heads);
}

}  // namespace lightloop
