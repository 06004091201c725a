#include "devices/mzi_mesh/gradient.hpp"

#include <algorithm>
#include <cmath>

#include "devices/mzi_mesh/chip.hpp"
#include "sim/optics/in_situ.hpp"

namespace lightloop::mzi_mesh {
namespace {

/// Rows [first, first + lanes) of a batch, one in each lane; lanes beyond the batch are dark.
void take(View<const Complex> batch, Index first, std::vector<FieldLanes>& to) {
  to.assign(static_cast<std::size_t>(batch.cols()), {});
  const Index count = std::min(FieldLanes::kCount, batch.rows() - first);
  for (Index r = 0; r < count; ++r)
    for (Index c = 0; c < batch.cols(); ++c) {
      FieldLanes& lanes = to[static_cast<std::size_t>(c)];
      lanes.re[r] = batch(first + r, c).real();
      lanes.im[r] = batch(first + r, c).imag();
    }
}

FieldLanes scaled(const FieldLanes& field, double by) {
  FieldLanes out;
  for (Index r = 0; r < FieldLanes::kCount; ++r) {
    out.re[r] = by * field.re[r];
    out.im[r] = by * field.im[r];
  }
  return out;
}

/// Sum over lanes of Re(a b).
double along(const FieldLanes& a, const FieldLanes& b) {
  double sum = 0;
  for (Index r = 0; r < FieldLanes::kCount; ++r) sum += a.re[r] * b.re[r] - a.im[r] * b.im[r];
  return sum;
}

}  // namespace

Pair Pair::of(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases, const MeshBuild& build) {
  return {mesh_pair(layout, inputs, outputs, phases), build, build};
}

Matrix<Complex> Pair::matrix() const {
  return joined(built_matrix(phases.out, out), phases.attenuator, built_matrix(phases.in, in));
}

void add_gradient(const Pair& pair, View<const Complex> input, View<const Complex> g, std::span<double> gradient) {
  const std::vector<double>& attenuator = pair.phases.attenuator;
  const InSitu v(pair.phases.in, pair.in), u(pair.phases.out, pair.out);
  const std::span<double> of_v = gradient.first(v.shifters()), of_a = gradient.subspan(v.shifters(), attenuator.size()),
                          of_u = gradient.subspan(v.shifters() + attenuator.size());
  std::vector<FieldLanes> light, middle, back, there_v, there_u;
  for (Index first = 0; first < input.rows(); first += FieldLanes::kCount) {
    take(input, first, light);
    v.forward(light, there_v);
    middle.assign(static_cast<std::size_t>(u.size()), {});
    for (std::size_t k = 0; k < attenuator.size(); ++k) middle[k] = scaled(light[k], std::sin(attenuator[k] / 2));
    u.forward(middle, there_u);
    take(g, first, back);
    u.backward(back, there_u, of_u);
    middle.assign(static_cast<std::size_t>(v.size()), {});
    for (std::size_t k = 0; k < attenuator.size(); ++k) {
      of_a[k] += along(back[k], light[k]) * std::cos(attenuator[k] / 2) / 2;
      middle[k] = scaled(back[k], std::sin(attenuator[k] / 2));
    }
    v.backward(middle, there_v, of_v);
  }
}

}  // namespace lightloop::mzi_mesh
