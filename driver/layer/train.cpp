// Weights to a tensor train of meshes.
#include <cmath>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {
constexpr int kSweeps = 8;
}

void encode_train(LayerState& state, View<const float> w, FrameBuffer& programme) {
  if (state.params.real("weight_limit") > 0)
    throw Unsupported("layer.weight_limit", std::to_string(state.params.real("weight_limit")),
                      "0 for trains of meshes: every core takes its own full range");
  const DeviceInfo& info = state.session.info();
  const ParamSet& device = state.session.settings();
  Matrix<double> padded(info.output.size(), info.input.size());
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j) padded(i, j) = static_cast<double>(w(i, j));
  TensorTrain train = tensor_train(padded, state.train->rows, state.train->cols, device.integer("tt.rank"));
  const double hardening = state.params.real("hardening");
  hardening > 0 ? harden(train, padded, hardening, kSweeps) : balance(train);

  const MeshLayout layout = parse_mesh_layout(device.text("mesh.layout"));
  const std::optional<Stream> spread = free_vectors(state);
  double scale = 1;
  Index at = 0;
  std::int64_t clipped = 0;
  std::vector<std::vector<double>> phases;
  for (const Matrix<double>& core : train.cores) {
    Matrix<Complex> complex(core.rows(), core.cols());
    std::copy_n(core.data(), core.size(), complex.data());
    double own = 0;
    phases.push_back(mesh_phases(mesh_pair(layout, complex, own, spread)));
    clipped += set_phases(state, phases.back(), at, programme);
    at += static_cast<Index>(phases.back().size());
    scale *= own;
  }
  Matrix<double> held = train.matrix();
  if (clipped > 0) {
    std::vector<Matrix<Complex>> set;
    for (std::size_t k = 0; k < phases.size(); ++k)
      set.push_back(mesh_pair_matrix(mesh_pair(layout, train.cores[k].cols(), train.cores[k].rows(), phases[k])));
    const Matrix<Complex> fields = train_matrix(state.train->rows, state.train->cols, set);
    for (Index i = 0; i < held.size(); ++i) held.data()[i] = scale * fields.data()[i].real();
  }
  state.target.resize(state.n_out, state.n_in);
  state.held.resize(state.n_out, state.n_in);
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j) {
      state.target(i, j) = static_cast<float>(held(i, j) / scale);
      state.held(i, j) = static_cast<float>(held(i, j));
    }
  state.rest = 0;
  state.scale.assign(static_cast<std::size_t>(state.n_out), scale);
  state.report.clipped_phases += clipped;
}

}  // namespace lightloop
