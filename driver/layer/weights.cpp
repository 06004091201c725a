// Weights to programmes: cells of a crossbar, or phases of two meshes.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

void check_weights(const LayerState& state, View<const float> w) {
  if (w.rows() != state.n_out || w.cols() != state.n_in)
    throw ShapeMismatch("layer: weights", std::to_string(w.rows()) + " x " + std::to_string(w.cols()),
                        std::to_string(state.n_out) + " x " + std::to_string(state.n_in) + " (outputs x inputs)");
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j)
      if (!std::isfinite(w(i, j)))
        throw InvalidParameter("layer: weight (" + std::to_string(i) + ", " + std::to_string(j) + ")", "not finite");
}

bool all_zero(View<const float> w) {
  for (Index i = 0; i < w.rows(); ++i)
    if (largest_size(w.row(i)) > 0) return false;
  return true;
}

/// Weight at full range, per output; 0 where nothing says.
std::vector<double> full_range(const LayerState& state, View<const float> w) {
  const double limit = state.params.real("weight_limit");
  std::vector<double> scale;
  double all = 0;
  for (Index i = 0; i < w.rows(); ++i) {
    scale.push_back(static_cast<double>(largest_size(w.row(i))));
    all = std::max(all, scale.back());
  }
  if (limit > 0 && all > limit)
    throw OutOfRange("layer: largest weight", std::to_string(all), "layer.weight_limit = " + std::to_string(limit),
                     "Scale the weights down, or set layer.weight_limit to 0.");
  for (double& value : scale) {
    if (state.params.text("weight_scale") == "matrix") value = all;
    if (limit > 0) value = limit;
    if (value == 0) value = state.scale_of_zeros();
  }
  return scale;
}

void encode_cells(LayerState& state, View<const float> w, FrameBuffer& programme) {
  std::vector<double> scale = full_range(state, w);
  const DeviceInfo& info = state.session.info();
  const Index stride = info.input.size();
  const std::uint32_t middle = info.program->highest() / 2 + 1;
  // The reference of the offset scheme lies in the middle of the positive half, so that no cell needs a sign.
  const std::uint32_t steps = state.weights == Weights::offset ? (middle - 1) / 2 : middle - 1;
  if (steps == 0)
    throw Unsupported("layer: weight codes of " + info.model, std::to_string(info.program->bits) + " bits",
                      "one more is needed for layer.cells = " + state.params.text("cells"));
  const Frames codes = programme.frames();
  for (Index i = 0; i < codes.size; ++i) codes.set(0, i, middle);
  const double unit = 1.0 / middle;
  state.target.resize(state.device_rows, state.n_in);
  std::fill_n(state.target.data(), state.target.size(), 0.0f);
  const auto write = [&](Index row, Index col, double level) {
    codes.set(0, row * stride + col, middle + static_cast<std::uint32_t>(static_cast<std::int64_t>(level)));
    state.target(row, col) = static_cast<float>(level * unit);
  };
  const std::uint32_t reference = state.weights == Weights::offset ? steps : 0;
  state.rest = reference * unit;
  state.held.resize(state.n_out, state.n_in);
  for (Index i = 0; i < state.n_out; ++i) {
    double& full = scale[static_cast<std::size_t>(i)];
    const RowPair rows = rows_of(state.weights, state.n_out, i);
    for (Index j = 0; j < state.n_in; ++j) {
      const double level = full > 0 ? std::rint(w(i, j) / full * steps) : 0.0;
      state.held(i, j) = static_cast<float>(level / steps * full);
      if (state.weights == Weights::differential) {
        write(rows.plus, j, std::max(level, 0.0));
        write(rows.minus, j, std::max(-level, 0.0));
      } else {
        write(rows.plus, j, reference + level);
      }
    }
    full *= static_cast<double>(middle) / steps;
  }
  if (state.weights == Weights::offset)
    for (Index j = 0; j < state.n_in; ++j) write(state.n_out, j, reference);
  state.scale = std::move(scale);
}

/// Of a matrix of fields what stands at (i, j) of the weights: its real part, or [[Re, -Im], [Im, Re]].
double part_of(const Matrix<Complex>& c, Index i, Index j, bool complex_field) {
  if (!complex_field) return c(i, j).real();
  const Index m = c.rows(), n = c.cols();
  const Complex z = c(i % m, j % n);
  if ((i < m) == (j < n)) return z.real();
  return i < m ? -z.imag() : z.imag();
}

/// The complex matrix that [[Re, -Im], [Im, Re]] is.
Matrix<Complex> folded(View<const float> w) {
  const Index m = w.rows() / 2, n = w.cols() / 2;
  Matrix<Complex> c(m, n);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      if (w(m + i, n + j) != w(i, j) || w(i, n + j) != -w(m + i, j))
        throw InvalidParameter("layer: weights of complex fields",
                               "no complex number at (" + std::to_string(i) + ", " + std::to_string(j) + ")",
                               "[[Re, -Im], [Im, Re]]", "A real matrix goes on a device with field.kind = real.");
      c(i, j) = {static_cast<double>(w(i, j)), static_cast<double>(w(m + i, j))};
    }
  return c;
}

}  // namespace

std::optional<Stream> free_vectors(const LayerState& state) {
  if (state.params.text("completion") != "random") return std::nullopt;
  return Stream(static_cast<std::uint64_t>(state.params.integer("seed")), 3, Purpose::calibration);
}

std::int64_t set_phases(const LayerState& state, std::vector<double>& phases, Index at, FrameBuffer& programme) {
  const ParamSet& device = state.session.settings();
  const PhaseLaw law = parse_phase_law(device.text("phase.law"), device.real("phase.range_rad"),
                                       state.session.info().program->highest());
  const double step = law.range_rad / law.highest;
  std::int64_t clipped = 0;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    programme.frames().set(0, at + static_cast<Index>(i), law.code(phases[i]));
    clipped += law.beyond(phases[i]) > step;
  }
  if (clipped > 0)
    for (double& phase : phases) phase = law.phase(law.code(phase));
  return clipped;
}

namespace {

void encode_mesh(LayerState& state, View<const float> w, FrameBuffer& programme) {
  const DeviceInfo& info = state.session.info();
  const ParamSet& device = state.session.settings();
  Matrix<Complex> padded = state.complex_field ? folded(w) : Matrix<Complex>(info.output.size(), info.input.size());
  for (Index i = 0; i < w.rows() && !state.complex_field; ++i)
    for (Index j = 0; j < w.cols(); ++j) padded(i, j) = static_cast<double>(w(i, j));
  double scale = state.params.real("weight_limit");
  const MeshLayout layout = parse_mesh_layout(device.text("mesh.layout"));
  std::vector<double> phases = mesh_phases(mesh_pair(layout, padded, scale, free_vectors(state)));
  Matrix<Complex> set;
  const std::int64_t clipped = set_phases(state, phases, 0, programme);
  if (clipped > 0) set = mesh_pair_matrix(mesh_pair(layout, padded.cols(), padded.rows(), phases));
  state.target.resize(state.n_out, state.n_in);
  state.held.resize(state.n_out, state.n_in);
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j) {
      const double wanted = static_cast<double>(w(i, j)) / scale;
      const double held = set.size() == 0 ? wanted : part_of(set, i, j, state.complex_field);
      state.target(i, j) = static_cast<float>(held);
      state.held(i, j) = set.size() == 0 ? w(i, j) : static_cast<float>(held * scale);
    }
  state.rest = 0;
  state.scale.assign(static_cast<std::size_t>(state.n_out), scale);
  state.report.clipped_phases += clipped;
}

}  // namespace

void draw_programme(LayerState& state, FrameBuffer& programme) {
  const Frames codes = programme.frames();
  Matrix<float> drawn(1, codes.size);
  Stream(static_cast<std::uint64_t>(state.params.integer("seed")), 4, Purpose::calibration).uniform(0, 0, drawn.row(0));
  const auto highest = static_cast<float>(state.session.info().program->highest());
  for (Index i = 0; i < codes.size; ++i) codes.set(0, i, static_cast<std::uint32_t>(std::rint(highest * drawn(0, i))));
  state.target.resize(state.n_out, state.n_in);
  state.held.resize(state.n_out, state.n_in);
  std::ranges::fill(state.target.flat(), 0.0f);
  std::ranges::fill(state.held.flat(), 0.0f);
  state.rest = 0;
  const double limit = state.params.real("weight_limit");
  state.scale.assign(static_cast<std::size_t>(state.n_out), limit > 0 ? limit : state.scale_of_zeros());
}

void encode_weights(LayerState& state, View<const float> w, FrameBuffer& programme) {
  check_weights(state, w);
  state.free    ? draw_programme(state, programme)
  : state.train ? encode_train(state, w, programme)
  : state.mesh  ? encode_mesh(state, w, programme)
                : encode_cells(state, w, programme);
  if (state.mesh && state.params.real("weight_limit") == 0 && state.scale_of_zeros() == 0 && all_zero(w)) {
    state.scale.assign(state.scale.size(), 0.0);
    std::ranges::fill(state.held.flat(), 0.0f);  // phases out of reach leave something of the light
  }
  state.common = state.pairs() ? Matrix<float>(state.n_out, state.n_in) : Matrix<float>();
  state.find_largest_sum();
}

void LayerState::find_largest_sum() {
  largest_sum = 0;
  double largest_square = 0;
  std::vector<double> columns(static_cast<std::size_t>(n_in)), squares(columns.size());
  for (Index i = 0; i < target.rows(); ++i) {
    double sum = 0, square = 0;
    for (Index j = 0; j < n_in; ++j) {
      const double size = std::abs(static_cast<double>(target(i, j)));
      sum += size;
      square += size * size;
      columns[static_cast<std::size_t>(j)] += size;
      squares[static_cast<std::size_t>(j)] += size * size;
    }
    largest_sum = std::max(largest_sum, sum);
    largest_square = std::max(largest_square, square);
  }
  largest_sum = std::max(largest_sum, *std::max_element(columns.begin(), columns.end()));
  largest_norm = std::sqrt(std::max(largest_square, *std::max_element(squares.begin(), squares.end())));
}

void LayerState::follow_target() {
  find_largest_sum();
  if (theta.size() == 0) return;
  const DeviceInfo& info = session.info();
  const auto middle = static_cast<float>(info.program->highest() / 2 + 1);
  for (Index i = 0; i < n_out; ++i)
    for (Index j = 0; j < n_in; ++j) theta(0, i * info.input.size() + j) = middle * (1 + target(i, j));
  if (twin) twin->program(theta);
}

}  // namespace lightloop
