// Layers that mix the rows of a batch along the edges of a fixed graph.
#include "core/linalg.hpp"
#include "training/layers/initial.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"
#include "training/layers/sparse.hpp"

namespace lightloop {
namespace {

Shape features_of(const std::string& layer, const Shape& input, Index outputs) {
  if (input.size() != 1) throw ShapeMismatch(layer, shape_text(input), "one row of features per node");
  check_at_least_one("outputs of " + layer, outputs);
  return {outputs};
}

/// to += a.
void add(View<const float> a, View<float> to) {
  for (Index i = 0; i < to.rows(); ++i)
    for (Index j = 0; j < to.cols(); ++j) to(i, j) += a(i, j);
}

/// y = A (x W^T) + b: the product first, because it makes rows shorter as a rule.
class GraphConvolution : public NetLayer {
 public:
  GraphConvolution(std::shared_ptr<const Graph> graph, const Shape& input, Index outputs)
      : NetLayer(input, features_of("graph_convolution", input, outputs)),
        graph_(std::move(graph)),
        back_(transposed(*graph_)) {}
  std::string text() const override { return "gcn " + std::to_string(outputs()); }
  Index parameters() const override { return outputs() * (inputs() + 1); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, 1.0, {parameters.data(), outputs(), inputs()});
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    all.push_back({product_number(instance, 0), offset, outputs(), inputs()});
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, outputs(), inputs(), 1.0});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.kept.resize(3);
    memory.kept[0].resize(y.rows(), y.cols());
    if (!products_of(pass) && list_nonzeros(in.x, memory.places, memory.kept[1])) {
      memory.products = nullptr;
      sparse_times(memory.places, memory.kept[1], weights(in), memory.kept[2], memory.kept[0]);
    } else {
      memory.places.resize(0, 0);
      layer_product(pass, in.x, weights(in), memory.kept[0], memory);
    }
    multiply(*graph_, memory.kept[0], y);
    add_bias(in.parameters.subspan(static_cast<std::size_t>(outputs() * inputs())), y);
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    work.kept.resize(2);
    Matrix<float>& delta = work.kept[0];  // A^T dy
    delta.resize(dy.rows(), dy.cols());
    multiply(back_, dy, delta);
    if (!dparameters.empty()) {
      const View<float> dw(dparameters.data(), outputs(), inputs());
      if (memory.places.size() > 0)
        sparse_gradient(memory.places, memory.kept[1], delta, work.kept[1], dw);
      else
        gemm(Transpose::yes, Transpose::no, 1.0f, delta, in.x, 0.0f, dw);
      sum_of_rows(dy, work, dparameters.subspan(static_cast<std::size_t>(outputs() * inputs())));
    }
    product_back(memory, in.x, delta, weights(in), dx);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory& work) const override {
    work.kept.resize(1);
    work.kept[0].resize(dy.rows(), dy.cols());
    layer_product(pass, dx, weights(in), work.kept[0], work);
    multiply(*graph_, work.kept[0], dy);
  }

 private:
  View<const float> weights(const LayerInput& in) const { return {in.parameters.data(), outputs(), inputs()}; }
  std::shared_ptr<const Graph> graph_;
  Graph back_;
};

class Sage : public NetLayer {
 public:
  Sage(const Graph& graph, const Shape& input, Index outputs)
      : NetLayer(input, features_of("sage", input, outputs)), mean_(row_normalised(graph)), back_(transposed(mean_)) {}
  std::string text() const override { return "sage " + std::to_string(outputs()); }
  Index parameters() const override { return outputs() * (2 * inputs() + 1); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, 1.0, {parameters.data(), 2 * outputs(), inputs()});
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    for (const Index which : {0, 1})
      all.push_back({product_number(instance, which), offset + which * outputs() * inputs(), outputs(), inputs()});
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    for (const Index which : {0, 1}) all.push_back({offset + which * outputs() * inputs(), outputs(), inputs(), 1.0});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    mix(pass, in, in.x, y, memory);
    add_bias(in.parameters.subspan(static_cast<std::size_t>(2 * outputs() * inputs())), y);
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    if (!dparameters.empty()) {
      float* const at = dparameters.data();
      const Index each = outputs() * inputs();
      gemm(Transpose::yes, Transpose::no, 1.0f, dy, in.x, 0.0f, View<float>(at, outputs(), inputs()));
      gemm(Transpose::yes, Transpose::no, 1.0f, dy, memory.kept[0], 0.0f, View<float>(at + each, outputs(), inputs()));
      sum_of_rows(dy, work, dparameters.subspan(static_cast<std::size_t>(2 * each)));
    }
    work.kept.resize(1);
    Matrix<float>& below = work.kept[0];
    below.resize(dx.rows(), dx.cols());
    product_back(memory, memory.kept[0], dy, weights(in, 1), below, 1);
    if (!dx.empty()) multiply(back_, below, dx);
    if (went_back(memory, in.x, dy, below))
      add(below, dx);
    else if (!dx.empty())
      gemm(Transpose::no, Transpose::no, 1.0f, dy, weights(in, 0), 1.0f, dx);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory& work) const override {
    mix(pass, in, dx, dy, work);
  }

 private:
  /// y = W_self x + W_mean mean(x).
  void mix(const LayerPass& pass, const LayerInput& in, View<const float> x, View<float> y, LayerMemory& memory) const {
    memory.kept.resize(2);
    memory.kept[0].resize(x.rows(), x.cols());
    multiply(mean_, x, memory.kept[0]);
    layer_product(pass, x, weights(in, 0), y, memory);
    if (pass.products) {
      memory.kept[1].resize(y.rows(), y.cols());
      layer_product(pass, memory.kept[0], weights(in, 1), memory.kept[1], memory, 1);
      add(memory.kept[1], y);
    } else {
      gemm(Transpose::no, Transpose::yes, 1.0f, memory.kept[0], weights(in, 1), 1.0f, y);
    }
  }
  View<const float> weights(const LayerInput& in, Index which) const {
    return {in.parameters.data() + which * outputs() * inputs(), outputs(), inputs()};
  }
  Graph mean_, back_;
};

}  // namespace

LayerPointer graph_convolution(std::shared_ptr<const Graph> graph, Shape input, Index outputs) {
  return std::make_unique<GraphConvolution>(std::move(graph), input, outputs);
}
LayerPointer graph_sage(std::shared_ptr<const Graph> graph, Shape input, Index outputs) {
  return std::make_unique<Sage>(*graph, input, outputs);
}

}  // namespace lightloop
