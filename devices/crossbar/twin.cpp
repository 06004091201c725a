#include "devices/crossbar/twin.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"

namespace lightloop::crossbar {
namespace {

float middle(const ParamSet& params, const char* bits) {
  return static_cast<float>(std::ldexp(1.0, static_cast<int>(params.integer(bits)) - 1));
}

class CrossbarTwin : public Twin {
 public:
  explicit CrossbarTwin(const ParamSet& params)
      : weights_(params.integer("output.size"), params.integer("input.size")),
        mid_in_(middle(params, "dac.bits")),
        mid_weight_(middle(params, "weight.bits")),
        mid_out_(middle(params, "adc.bits")),
        gain_(mid_out_ / static_cast<float>(params.real("adc.range"))) {}

  Index inputs() const override { return weights_.cols(); }
  Index outputs() const override { return weights_.rows(); }
  Index parameters() const override { return weights_.size(); }

  void program(View<const float> theta) override {
    check_twin_programme("crossbar", *this, theta);
    std::ranges::transform(theta.row(0), weights_.data(), [&](float code) { return code / mid_weight_ - 1.0f; });
  }

  void forward(View<const float> x, View<float> y) const override {
    gemm(Transpose::no, Transpose::yes, gain_, voltages(x), weights_, 0.0f, y);
    for (Index r = 0; r < y.rows(); ++r)
      for (float& code : y.row(r)) code = std::clamp(code + mid_out_, 0.0f, 2 * mid_out_ - 1);
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    Matrix<float> passed(x.rows(), outputs());
    forward(x, passed);
    for (Index r = 0; r < passed.rows(); ++r)
      for (Index c = 0; c < passed.cols(); ++c)
        passed(r, c) = passed(r, c) > 0 && passed(r, c) < 2 * mid_out_ - 1 ? grad_y(r, c) : 0.0f;
    gemm(Transpose::no, Transpose::no, gain_ / mid_in_, passed, weights_, 0.0f, grad_x);
    if (grad_theta.empty()) return;
    const View<float> as_matrix(grad_theta.data(), outputs(), inputs());
    gemm(Transpose::yes, Transpose::no, gain_ / mid_weight_, passed, voltages(x), 1.0f, as_matrix);
  }

 private:
  Matrix<float> voltages(View<const float> x) const {
    Matrix<float> v(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r)
      std::ranges::transform(x.row(r), v.row(r).begin(), [&](float code) { return code / mid_in_ - 1.0f; });
    return v;
  }

  Matrix<float> weights_;  // (outputs, inputs)
  float mid_in_, mid_weight_, mid_out_, gain_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<CrossbarTwin>(params); }

}  // namespace lightloop::crossbar
