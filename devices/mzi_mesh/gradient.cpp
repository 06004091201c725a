#include "devices/mzi_mesh/gradient.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

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

/// The same as monitors read it, three intensities a sample.
double along(const FieldLanes& a, const FieldLanes& b, const MonitorReading& reading, std::uint64_t column) {
  double sum = 0;
  for (std::size_t n = 0; n < reading.weight.size(); ++n) {
    const auto k = static_cast<Index>(n);
    const double product = a.re[k] * b.re[k] - a.im[k] * b.im[k];
    const double alone = a.re[k] * a.re[k] + a.im[k] * a.im[k] + b.re[k] * b.re[k] + b.im[k] * b.im[k];
    sum += reading.weight[n] * (product + reading.monitors.draw(k, column, 2 * (alone + product)));
  }
  return sum;
}

/// Fields of `count` lanes over the largest of their lane, which goes into `weight`; dark lanes stay dark.
void to_full_amplitude(std::vector<FieldLanes>& fields, Index count, std::vector<double>& weight) {
  weight.assign(static_cast<std::size_t>(count), 0.0);
  for (Index k = 0; k < count; ++k) {
    double& largest = weight[static_cast<std::size_t>(k)];
    for (const FieldLanes& field : fields) largest = std::max(largest, std::hypot(field.re[k], field.im[k]));
    if (largest == 0) continue;
    for (FieldLanes& field : fields) {
      field.re[k] /= largest;
      field.im[k] /= largest;
    }
  }
}

}  // namespace

Pair Pair::of(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases, const MeshBuild& build) {
  return {mesh_pair(layout, inputs, outputs, phases), build, build};
}

Matrix<Complex> Pair::matrix() const {
  return joined(built_matrix(phases.out, out), phases.attenuator, built_matrix(phases.in, in));
}

namespace {

void gradient_of(const Pair& pair, View<const Complex> input, View<const Complex> g, const MonitorNoise* monitors,
                 std::span<double> gradient) {
  const std::vector<double>& attenuator = pair.phases.attenuator;
  const InSitu v(pair.phases.in, pair.in), u(pair.phases.out, pair.out);
  const std::span<double> of_v = gradient.first(v.shifters()), of_a = gradient.subspan(v.shifters(), attenuator.size()),
                          of_u = gradient.subspan(v.shifters() + attenuator.size());
  std::vector<FieldLanes> light, middle, back, there_v, there_u;
  std::vector<double> weight;
  for (Index first = 0; first < input.rows(); first += FieldLanes::kCount) {
    std::optional<MonitorNoise> noise;
    std::optional<MonitorReading> in_v, in_u;
    take(input, first, light);
    v.forward(light, there_v);
    middle.assign(static_cast<std::size_t>(u.size()), {});
    for (std::size_t k = 0; k < attenuator.size(); ++k) middle[k] = scaled(light[k], std::sin(attenuator[k] / 2));
    u.forward(middle, there_u);
    take(g, first, back);
    if (monitors) {
      to_full_amplitude(back, std::min(FieldLanes::kCount, input.rows() - first), weight);
      noise = *monitors;
      noise->first_row += static_cast<std::uint64_t>(first);
      in_v.emplace(MonitorReading{*noise, weight, 0});
      in_u.emplace(MonitorReading{*noise, weight, v.shifters() + attenuator.size()});
    }
    u.backward(back, there_u, of_u, in_u ? &*in_u : nullptr);
    middle.assign(static_cast<std::size_t>(v.size()), {});
    for (std::size_t k = 0; k < attenuator.size(); ++k) {
      const double both = in_v ? along(back[k], light[k], *in_v, v.shifters() + k) : along(back[k], light[k]);
      of_a[k] += both * std::cos(attenuator[k] / 2) / 2;
      middle[k] = scaled(back[k], std::sin(attenuator[k] / 2));
    }
    v.backward(middle, there_v, of_v, in_v ? &*in_v : nullptr);
  }
}

}  // namespace

void add_gradient(const Pair& pair, View<const Complex> input, View<const Complex> g, std::span<double> gradient) {
  gradient_of(pair, input, g, nullptr, gradient);
}

void measure_gradient(const Pair& pair, View<const Complex> input, View<const Complex> g, const MonitorNoise& monitors,
                      std::span<double> gradient) {
  gradient_of(pair, input, g, &monitors, gradient);
}

}  // namespace lightloop::mzi_mesh
