#include "devices/tt_rfnn/twin.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/train_shape.hpp"
#include "devices/mzi_mesh/gradient.hpp"

namespace lightloop::tt_rfnn {
namespace {

using mzi_mesh::Pair;

class TrainTwin : public Twin {
 public:
  explicit TrainTwin(const ParamSet& p)
      : shape_(p.integer("output.size"), p.integer("input.size"), p.integer("tt.cores"), p.integer("tt.rank")),
        in_(p.integer("input.size")),
        out_(p.integer("output.size")),
        layout_(parse_mesh_layout(p.text("mesh.layout"))),
        law_(parse_phase_law(p.text("phase.law"), p.real("phase.range_rad"), (1u << p.integer("phase.bits")) - 1u)),
        middle_in_(std::ldexp(1.0, static_cast<int>(p.integer("dac.bits")) - 1)),
        middle_out_(std::ldexp(1.0, static_cast<int>(p.integer("adc.bits")) - 1)),
        gain_(middle_out_ / p.real("adc.range") *
              std::pow(1 - p.real("switch_loss"), static_cast<double>(shape_.cores() - 1) / 2)) {
    build_.amplitude = std::sqrt(1 - p.real("loss"));
    codes_.assign(static_cast<std::size_t>(shape_.programme()), 0.0);
    derive();
  }

  Index inputs() const override { return in_; }
  Index outputs() const override { return out_; }
  Index parameters() const override { return static_cast<Index>(codes_.size()); }

  void program(View<const float> theta) override {
    check_twin_programme("tt_rfnn", *this, theta);
    codes_.assign(theta.row(0).begin(), theta.row(0).end());
    derive();
  }

  void forward(View<const float> x, View<float> y) const override {
    gemm(Transpose::no, Transpose::yes, static_cast<float>(gain_), fields(x), real_, 0.0f, y);
    for (Index r = 0; r < y.rows(); ++r)
      for (float& code : y.row(r)) code += static_cast<float>(middle_out_);
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    gemm(Transpose::no, Transpose::no, static_cast<float>(gain_ / middle_in_), grad_y, real_, 0.0f, grad_x);
    if (grad_theta.empty()) return;
    Matrix<float> sums(out_, in_);
    gemm(Transpose::yes, Transpose::no, static_cast<float>(gain_), grad_y, fields(x), 0.0f, sums);
    Matrix<double> slope(out_, in_);  // dL / d Re W
    std::ranges::copy(sums.flat(), slope.flat().begin());
    const auto gradient = train_gradient(shape_.rows, shape_.cols, cores(), slope);
    std::vector<double> slopes(codes_.size());
    std::size_t first = 0;
    for (std::size_t k = 0; k < shape_.cores(); ++k) {
      const auto n = static_cast<std::size_t>(shape_.codes(k));
      Matrix<Complex> units(shape_.inputs(k), shape_.inputs(k)), columns(shape_.inputs(k), shape_.outputs(k));
      for (Index j = 0; j < units.rows(); ++j) {
        units(j, j) = 1;
        for (Index i = 0; i < columns.cols(); ++i) columns(j, i) = gradient[k](i, j);
      }
      add_gradient(pairs_[k], units, columns, std::span(slopes).subspan(first, n));
      first += n;
    }
    for (std::size_t i = 0; i < slopes.size(); ++i)
      grad_theta(0, static_cast<Index>(i)) += static_cast<float>(slopes[i] * law_.slope(codes_[i]));
  }

 private:
  Matrix<float> fields(View<const float> x) const {
    Matrix<float> v(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r)
      for (Index j = 0; j < x.cols(); ++j) v(r, j) = x(r, j) / static_cast<float>(middle_in_) - 1;
    return v;
  }

  std::vector<Matrix<Complex>> cores() const {
    std::vector<Matrix<Complex>> all;
    for (const Pair& pair : pairs_) all.push_back(pair.matrix());
    return all;
  }

  void derive() {
    std::vector<double> phases;
    for (const double code : codes_) phases.push_back(law_.phase(code));
    pairs_.clear();
    std::size_t first = 0;
    for (std::size_t k = 0; k < shape_.cores(); ++k) {
      const auto n = static_cast<std::size_t>(shape_.codes(k));
      pairs_.push_back(
          Pair::of(layout_, shape_.inputs(k), shape_.outputs(k), std::span(phases).subspan(first, n), build_));
      first += n;
    }
    const Matrix<Complex> w = train_matrix(shape_.rows, shape_.cols, cores());
    real_.resize(w.rows(), w.cols());
    std::ranges::transform(w.flat(), real_.flat().begin(), [](Complex v) { return static_cast<float>(v.real()); });
  }

  TrainShape shape_;
  Index in_, out_;
  MeshLayout layout_;
  PhaseLaw law_;
  double middle_in_, middle_out_, gain_;
  MeshBuild build_;
  std::vector<double> codes_;
  std::vector<Pair> pairs_;
  Matrix<float> real_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<TrainTwin>(params); }

}  // namespace lightloop::tt_rfnn
