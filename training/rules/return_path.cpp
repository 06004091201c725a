#include "training/rules/return_path.hpp"

#include <algorithm>
#include <cmath>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"

namespace lightloop {
namespace {

std::vector<ReturnPlace> places_of(const Network& net) {
  std::vector<ReturnPlace> places;
  if (const Model* model = net.model()) {
    std::vector<ReturnWeights> all;
    for (Index b = 0; b < model->blocks(); ++b) {
      all.clear();
      model->block(b).add_return_weights(model->offset(b), all);
      for (const ReturnWeights& weights : all) places.push_back({places.size(), b, weights});
    }
  } else {
    for (Index l = 0; l < net.layers(); ++l)
      places.push_back({places.size(), l, {net.offset(l), net.weights(l).rows(), net.weights(l).cols(), 1.0}});
  }
  if (!places.empty() && places.front().weights.offset == 0) places.erase(places.begin());
  return places;
}

std::span<const float> entries(std::span<const float> parameters, const ReturnWeights& w) {
  return parameters.subspan(static_cast<std::size_t>(w.offset), static_cast<std::size_t>(w.rows * w.cols));
}

}  // namespace

ReturnPath::ReturnPath(const Network& net)
    : places_(places_of(net)),
      parameters_(1, static_cast<Index>(net.parameters().size())),
      rest_(net.model() != nullptr) {}

View<float> ReturnPath::matrix(std::size_t place) {
  const ReturnWeights& w = places_[place].weights;
  return {parameters_.data() + w.offset, w.rows, w.cols};
}

std::span<const float> ReturnPath::parameters(const Network& net) {
  const auto copy = [&](Index first, Index last) {
    std::copy(net.parameters().begin() + first, net.parameters().begin() + last, parameters_.data() + first);
  };
  Index end = 0;  // of the matrix before
  for (const auto& [number, layer, w] : places_) {
    if (rest_) copy(end, w.offset);
    end = w.offset + w.rows * w.cols;
  }
  if (rest_) copy(end, parameters_.cols());
  return parameters_.flat();
}

std::vector<double> ReturnPath::alignment(const Network& net) const {
  std::vector<double> cosines;
  for (Index l = 1; l <= net.hidden_layers(); ++l) {
    double both = 0, ours = 0, theirs = 0;
    for (const auto& [number, layer, weights] : places_) {
      if (layer != l) continue;
      const auto b = entries(parameters_.flat(), weights), w = entries(net.parameters(), weights);
      both += dot(b, w);
      ours += dot(b, b);
      theirs += dot(w, w);
    }
    cosines.push_back(both / std::sqrt(ours * theirs));
  }
  return cosines;
}

std::vector<double> broadcast_alignment(const Network& net, View<const float> matrix) {
  if (net.model() || matrix.empty()) return {};
  std::vector<double> cosines(static_cast<std::size_t>(net.hidden_layers()));
  Matrix<float> above, product;  // W_L ... W_{l+1} (C, d_l)
  for (Index l = net.hidden_layers(); l >= 1; --l) {
    const View<const float> w = net.weights(l);
    product.resize(net.classes(), w.cols());
    if (l == net.hidden_layers())
      std::ranges::copy(std::span(w.data(), product.flat().size()), product.flat().begin());
    else
      gemm(Transpose::no, Transpose::no, 1.0f, above, w, 0.0f, product);
    double both = 0, ours = 0, theirs = 0;
    for (Index i = 0; i < product.cols(); ++i)
      for (Index c = 0; c < product.rows(); ++c) {
        const auto b = static_cast<double>(matrix(i, c)), p = static_cast<double>(product(c, i));
        both += b * p;
        ours += b * b;
        theirs += p * p;
      }
    cosines[static_cast<std::size_t>(l) - 1] = both / std::sqrt(ours * theirs);
    std::swap(above, product);
  }
  return cosines;
}

}  // namespace lightloop
