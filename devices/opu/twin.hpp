#pragma once
// The OPU without noise, rounding or clipping, as a differentiable function of its inputs.
#include "devices/opu/physics.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::opu {

/// y_p = expected code of pixel p = offset_p + c_p sum_g w_g |constant + contrast H x|^2, the reference closed, the
/// medium as at opening. x may be any real (a mirror has 0 or 1).
class OpuTwin : public Twin {
 public:
  explicit OpuTwin(const ParamSet& params) : physics_(params), medium_(physics_) {}
  Index inputs() const override { return physics_.inputs; }
  Index outputs() const override { return physics_.pixels; }
  void forward(View<const float> x, View<float> y) const override;
  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override;
  std::vector<FitParameter> fit_parameters() const override;

 private:
  Physics physics_;
  Medium medium_;
};

}  // namespace lightloop::opu
