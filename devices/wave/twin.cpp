#include "devices/wave/twin.hpp"

#include "core/linalg.hpp"
#include "devices/wave/params.hpp"

namespace lightloop::wave {
namespace {

class WaveTwin : public Twin {
 public:
  explicit WaveTwin(const ParamSet& params)
      : medium_(medium_of(params)), scales_(params, medium_), operation_(scales_.operation(medium_)) {}
  Index inputs() const override { return medium_.inputs(); }
  Index outputs() const override { return medium_.outputs(); }

  void forward(View<const float> x, View<float> y) const override {
    const Matrix<float> e = fields(x);
    for (Index r = 0; r < y.rows(); ++r)
      for (Index i = 0; i < outputs(); ++i) {
        const auto re = static_cast<double>(e(r, i)), im = static_cast<double>(e(r, outputs() + i));
        y(r, i) = static_cast<float>(scales_.code(i, scales_.signal(i, re, im)));
      }
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float>) const override {
    Matrix<float> e = fields(x), back(x.rows(), scales_.drives());
    for (Index r = 0; r < x.rows(); ++r)
      for (Index i = 0; i < outputs(); ++i) {
        float &re = e(r, i), &im = e(r, outputs() + i);
        const auto [dre, dim] = scales_.slope(i, static_cast<double>(re), static_cast<double>(im));
        re = static_cast<float>(static_cast<double>(grad_y(r, i)) * dre);
        im = static_cast<float>(static_cast<double>(grad_y(r, i)) * dim);
      }
    gemm(Transpose::no, Transpose::no, 1.0f, e, operation_, 0.0f, back);
    for (Index r = 0; r < x.rows(); ++r) scales_.drive_back(x.row(r), std::as_const(back).row(r), grad_x.row(r));
  }

 private:
  Matrix<float> fields(View<const float> x) const {
    Matrix<float> drive(x.rows(), scales_.drives()), e(x.rows(), 2 * outputs());
    for (Index r = 0; r < x.rows(); ++r) scales_.drive(x.row(r), drive.row(r));
    gemm(Transpose::no, Transpose::yes, 1.0f, drive, operation_, 0.0f, e);
    for (Index r = 0; r < x.rows(); ++r)
      for (Index i = 0; i < outputs(); ++i) {
        e(r, i) += medium_.offset_re[static_cast<std::size_t>(i)];
        e(r, outputs() + i) += medium_.offset_im[static_cast<std::size_t>(i)];
      }
    return e;
  }

  Medium medium_;
  Scales scales_;
  Matrix<float> operation_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<WaveTwin>(params); }

}  // namespace lightloop::wave
