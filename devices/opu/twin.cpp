#include "devices/opu/twin.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/threads.hpp"

namespace lightloop::opu {
namespace {

void check(const Twin& twin, View<const float> x, Index y_rows, Index y_cols) {
  if (x.cols() != twin.inputs() || y_cols != twin.outputs() || x.rows() != y_rows)
    throw ShapeMismatch("OPU twin",
                        "(" + std::to_string(x.rows()) + ", " + std::to_string(x.cols()) + ") to (" +
                            std::to_string(y_rows) + ", " + std::to_string(y_cols) + ")",
                        std::to_string(twin.inputs()) + " inputs, " + std::to_string(twin.outputs()) + " outputs");
}

}  // namespace

void OpuTwin::forward(View<const float> x, View<float> y) const {
  check(*this, x, y.rows(), y.cols());
  const auto photons = static_cast<float>(physics_.photons_per_s);
  const Index most = std::min(x.rows(), frames_at_once(medium_.constant.cols()));
  Matrix<float> field(most, medium_.constant.cols());
  for (Index first = 0; first < x.rows(); first += most) {
    const Index count = std::min(most, x.rows() - first);
    gemm(Transpose::no, Transpose::no, 1.0f, x.rows(first, count), medium_.matrix.matrix(), 0.0f,
         field.view().rows(0, count));
    parallel_for(count, [&](Index r) {
      const auto row = y.row(first + r);
      pixel_intensity(physics_.grain_weights, field.row(r), medium_.constant.row(0),
                      static_cast<float>(physics_.dmd.contrast), {}, row);
      for (float& v : row) v *= photons;
      physics_.camera.expect(row, row);
    });
  }
}

void OpuTwin::vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const {
  check(*this, x, grad_y.rows(), grad_y.cols());
  if (grad_x.rows() != x.rows() || grad_x.cols() != x.cols())
    throw ShapeMismatch("OPU twin: gradient of the input", std::to_string(grad_x.rows()) + " rows",
                        "the shape of the input");
  if (!grad_theta.empty()) throw Unsupported("OPU twin", "has no programmable parameters");
  // dy_p/dx_j = c_p sum_g 2 w_g contrast Re(conj(s_gp) H_gpj)
  const auto contrast = static_cast<float>(physics_.dmd.contrast);
  const auto& weights = physics_.grain_weights;
  const Index pixels = physics_.pixels;
  const Index most = std::min(x.rows(), frames_at_once(medium_.constant.cols()));
  Matrix<float> slope(1, pixels), field(most, medium_.constant.cols());
  for (Index p = 0; p < pixels; ++p)
    slope(0, p) =
        static_cast<float>(2 * physics_.dmd.contrast * physics_.photons_per_s * physics_.camera.responsivity(p));
  for (Index first = 0; first < x.rows(); first += most) {
    const Index count = std::min(most, x.rows() - first);
    const auto fields = field.view().rows(0, count);
    gemm(Transpose::no, Transpose::no, contrast, x.rows(first, count), medium_.matrix.matrix(), 0.0f, fields);
    parallel_for(count, [&](Index r) {
      for (Index plane = 0; plane < 2 * static_cast<Index>(weights.size()); ++plane) {
        const float weight = weights[static_cast<std::size_t>(plane / 2)];
        for (Index p = 0; p < pixels; ++p) {
          float& s = fields(r, plane * pixels + p);
          s = (s + medium_.constant(0, plane * pixels + p)) * weight * slope(0, p) * grad_y(first + r, p);
        }
      }
    });
    gemm(Transpose::no, Transpose::yes, 1.0f, fields, medium_.matrix.matrix(), 0.0f, grad_x.rows(first, count));
  }
}

std::vector<FitParameter> OpuTwin::fit_parameters() const {
  const auto& camera = physics_.camera;
  double squares = 0;
  for (const float w : physics_.grain_weights) squares += static_cast<double>(w) * static_cast<double>(w);
  return {{"camera.black_level", "1", camera.model().black_level},
          {"camera.gain", "1", camera.gain_e_per_code()},
          {"medium.grains", "1", 1 / squares}};
}

}  // namespace lightloop::opu
