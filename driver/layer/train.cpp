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
  const PhaseLaw law =
      parse_phase_law(device.text("phase.law"), device.real("phase.range_rad"), info.program->highest());
  double scale = 1;
  Index at = 0;
  for (const Matrix<double>& core : train.cores) {
    Matrix<Complex> complex(core.rows(), core.cols());
    std::copy_n(core.data(), core.size(), complex.data());
    double own = 0;
    for (const double phase : mesh_phases(mesh_pair(layout, complex, own)))
      programme.frames().set(0, at++, law.code(phase));
    scale *= own;
  }
  const Matrix<double> held = train.matrix();
  state.target.resize(state.n_out, state.n_in);
  state.held.resize(state.n_out, state.n_in);
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j) {
      state.target(i, j) = static_cast<float>(held(i, j) / scale);
      state.held(i, j) = static_cast<float>(held(i, j));
    }
  state.rest = 0;
  state.scale.assign(static_cast<std::size_t>(state.n_out), scale);
}

}  // namespace lightloop
