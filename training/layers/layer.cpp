#include "training/layers/layer.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {

Index elements(const Shape& shape) {
  Index product = 1;
  for (const Index n : shape) product *= n;
  return product;
}

void layer_product(const LayerPass& pass, View<const float> x, View<const float> w, View<float> y, LayerMemory& memory,
                   Index which) {
  memory.products = products_of(pass);
  memory.instance = pass.instance;
  if (memory.products) return memory.products->multiply(product_number(pass.instance, which), x, y);
  gemm(Transpose::no, Transpose::yes, 1.0f, x, w, 0.0f, y);
}

void layer_product(const LayerPass& pass, View<const float> x, View<const float> w, View<float> y, LayerMemory& memory,
                   Matrix<float>& seen, Index which) {
  layer_product(pass, x, w, y, memory, which);
  if (!memory.products || !memory.products->clips(product_number(pass.instance, which), x, seen)) seen.resize(0, 0);
}

bool went_back(const LayerMemory& memory, View<const float> x, View<const float> delta, View<float> dx, Index which) {
  return memory.products && memory.products->back(product_number(memory.instance, which), x, delta, dx);
}

void product_back(const LayerMemory& memory, View<const float> x, View<const float> delta, View<const float> w,
                  View<float> dx, Index which) {
  if (!went_back(memory, x, delta, dx, which) && !dx.empty())
    gemm(Transpose::no, Transpose::no, 1.0f, delta, w, 0.0f, dx);
}

void stop_clipped(View<const float> x, View<const float> seen, View<float> dx) {
  if (seen.empty()) return;
  for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r)
      for (Index j = 0; j < dx.cols(); ++j)
        if (seen(r, j) != x(r, j)) dx(r, j) = 0;
  });
}

View<const float> unclipped(View<const float> x, View<const float> seen, View<const float> dx, Matrix<float>& storage) {
  if (seen.empty()) return dx;
  storage.resize(dx.rows(), dx.cols());
  for (Index r = 0; r < dx.rows(); ++r) std::ranges::copy(dx.row(r), storage.row(r).begin());
  stop_clipped(x, seen, storage);
  return storage;
}

void LayerProducts::show(Index, View<const float>, View<float>) {
  throw Unsupported("a physical layer", "no device stands for it", "", "give one as train.map (sim:opu)");
}
void LayerProducts::show_back(Index, View<const float>, View<const float>, View<float>) {
  throw Unsupported("derivative of a physical layer", "nobody knows it");
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const Index n : shape) text += (text.empty() ? "" : "x") + std::to_string(n);
  return text;
}

void NetLayer::initialise(std::uint64_t, std::uint64_t, std::span<float> parameters) const {
  std::ranges::fill(parameters, 0.0f);
}
void NetLayer::initialise_state(std::span<float> state) const { std::ranges::fill(state, 0.0f); }
void NetLayer::learn_state(const LayerMemory&, std::span<float>) const {}
void NetLayer::add_physics(std::uint64_t, bool, std::vector<PhysicalPlace>&) const {}
void NetLayer::add_products(std::uint64_t, Index, std::vector<WeightMatrix>&) const {
  if (taught())
    throw Unsupported(
        "layer " + text() + " on a device", "its weights are in no product with a matrix", "",
        "dense and conv, with two-valued weights or in weights(...) too, attention, gcn, sage and gat make "
        "such products; layers without weights stay digital");
}
void NetLayer::jvp(const LayerPass&, const LayerInput&, View<const float>, const LayerMemory&, View<const float>,
                   View<float>, LayerMemory&) const {
  throw Unsupported("what moves behind layer " + text() + " when its input does", "it has no forward derivative", "",
                    "rules bp and local go back through it instead");
}
void NetLayer::add_return_weights(Index, std::vector<ReturnWeights>&) const {
  if (taught())
    throw Unsupported(
        "errors through other weights than those of layer " + text(), "its derivative is no product with one matrix",
        "",
        "dense, conv, attention, gcn, sage and gat take others, layers without weights need none; rule bp goes "
        "through any layer");
}

}  // namespace lightloop
