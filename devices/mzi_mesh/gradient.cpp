#include "devices/mzi_mesh/gradient.hpp"

#include <cmath>

#include "devices/mzi_mesh/chip.hpp"

namespace lightloop::mzi_mesh {
namespace {

using Field = std::vector<Complex>;

Field product(const Matrix<Complex>& m, std::span<const Complex> x) {
  Field y(static_cast<std::size_t>(m.rows()));
  for (Index r = 0; r < m.rows(); ++r)
    for (Index c = 0; c < m.cols(); ++c) y[static_cast<std::size_t>(r)] += m(r, c) * x[static_cast<std::size_t>(c)];
  return y;
}

Field product_transposed(const Matrix<Complex>& m, std::span<const Complex> x) {
  Field y(static_cast<std::size_t>(m.cols()));
  for (Index r = 0; r < m.rows(); ++r)
    for (Index c = 0; c < m.cols(); ++c) y[static_cast<std::size_t>(c)] += m(r, c) * x[static_cast<std::size_t>(r)];
  return y;
}

}  // namespace

Pair Pair::of(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases, const MeshBuild& build) {
  Pair pair{mesh_pair(layout, inputs, outputs, phases), build, {}, {}};
  pair.v = built_matrix(pair.phases.in, build);
  pair.u = built_matrix(pair.phases.out, build);
  return pair;
}

Matrix<Complex> Pair::matrix() const { return joined(u, phases.attenuator, v); }

std::vector<Complex> add_gradient(const Pair& pair, std::span<const Complex> input, std::span<const Complex> g,
                                  std::span<double> gradient) {
  const std::vector<double>& attenuator = pair.phases.attenuator;
  const Field a = product(pair.v, input), back_out = product_transposed(pair.u, g);
  Field driven(g.size()), back(input.size());
  for (std::size_t k = 0; k < attenuator.size(); ++k) {
    const double t = std::sin(attenuator[k] / 2);
    driven[k] = t * a[k];
    back[k] = t * back_out[k];
  }
  if (!gradient.empty()) {
    const std::vector<double> first = in_situ_gradient(pair.phases.in, pair.build, input, back);
    const std::vector<double> second = in_situ_gradient(pair.phases.out, pair.build, driven, g);
    const std::size_t in = first.size(), middle = in + attenuator.size();
    for (std::size_t i = 0; i < in; ++i) gradient[i] += first[i];
    for (std::size_t k = 0; k < attenuator.size(); ++k)
      gradient[in + k] += (back_out[k] * a[k]).real() * std::cos(attenuator[k] / 2) / 2;
    for (std::size_t i = 0; i < second.size(); ++i) gradient[middle + i] += second[i];
  }
  return product_transposed(pair.v, back);
}

}  // namespace lightloop::mzi_mesh
