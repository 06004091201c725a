#include "devices/mzi_mesh/twin.hpp"

#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/mesh_codes.hpp"
#include "devices/mzi_mesh/chip.hpp"
#include "devices/mzi_mesh/gradient.hpp"
#include "devices/mzi_mesh/monitors.hpp"
#include "devices/streams.hpp"

namespace lightloop::mzi_mesh {
namespace {

Index parameters_of(const ParamSet& p) {
  return mesh_programme_size(parse_mesh_layout(p.text("mesh.layout")), p.integer("input.size"),
                             p.integer("output.size"));
}

class MeshTwin : public Twin {
 public:
  explicit MeshTwin(const ParamSet& p)
      : in_(p.integer("input.size")),
        out_(p.integer("output.size")),
        parts_(p.text("field.kind") == "complex" ? 2 : 1),
        layout_(parse_mesh_layout(p.text("mesh.layout"))),
        law_(parse_phase_law(p.text("phase.law"), p.real("phase.range_rad"), (1u << p.integer("phase.bits")) - 1u)),
        middle_in_(std::ldexp(1.0, static_cast<int>(p.integer("dac.bits")) - 1)),
        middle_out_(std::ldexp(1.0, static_cast<int>(p.integer("adc.bits")) - 1)),
        gain_(middle_out_ / p.real("adc.range")) {
    if (p.boolean("monitors")) {
      chip_.emplace(p);
      monitors_ = monitor_noise(p);
      cost_ = monitor_cost(p, parameters_of(p));
    }
    build_.amplitude = std::sqrt(1 - p.real("loss"));
    codes_.assign(static_cast<std::size_t>(parameters_of(p)), 0.0);
    derive();
  }

  Index inputs() const override { return parts_ * in_; }
  Index outputs() const override { return parts_ * out_; }
  Index parameters() const override { return static_cast<Index>(codes_.size()); }

  void program(View<const float> theta) override {
    check_twin_programme("mzi_mesh", *this, theta);
    codes_.assign(theta.row(0).begin(), theta.row(0).end());
    derive();
  }

  void forward(View<const float> x, View<float> y) const override {
    Matrix<float> v(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r)
      for (Index j = 0; j < x.cols(); ++j) v(r, j) = x(r, j) / static_cast<float>(middle_in_) - 1;
    gemm(Transpose::no, Transpose::yes, static_cast<float>(gain_), v, map_, 0.0f, y);
    for (Index r = 0; r < y.rows(); ++r)
      for (float& code : y.row(r)) code += static_cast<float>(middle_out_);
  }

  GradientCost gradient_cost() const override { return cost_; }

  void measure(View<const float> x, View<const float> grad_y, std::uint64_t first_sample,
               View<float> grad_theta) const override {
    if (!chip_) return Twin::measure(x, grad_y, first_sample, grad_theta);
    MonitorNoise monitors = monitors_;
    monitors.first_row = first_sample;
    std::vector<double> slopes(codes_.size());
    measure_gradient(pair_, fields(x, in_, 1 / middle_in_, 1, 1), fields(grad_y, out_, gain_, 0, -1), monitors, slopes);
    add_slopes(std::move(slopes), grad_theta);
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    gemm(Transpose::no, Transpose::no, static_cast<float>(gain_ / middle_in_), grad_y, map_, 0.0f, grad_x);
    if (grad_theta.empty()) return;
    std::vector<double> slopes(codes_.size());
    add_gradient(pair_, fields(x, in_, 1 / middle_in_, 1, 1), fields(grad_y, out_, gain_, 0, -1), slopes);
    add_slopes(std::move(slopes), grad_theta);
  }

 private:
  /// dL/d(phase) that arises to dL/d(code).
  void add_slopes(std::vector<double> slopes, View<float> grad_theta) const {
    if (chip_) slopes = chip_->heated(slopes);
    for (std::size_t i = 0; i < slopes.size(); ++i)
      grad_theta(0, static_cast<Index>(i)) += static_cast<float>(slopes[i] * law_.slope(codes_[i]));
  }

  void derive() {
    std::vector<double> phases;
    for (const double code : codes_) phases.push_back(law_.phase(code));
    if (chip_)
      pair_ = {mesh_pair(layout_, in_, out_, chip_->heated(phases)), chip_->build(0), chip_->build(1)};
    else
      pair_ = Pair::of(layout_, in_, out_, phases, build_);
    const Matrix<Complex> w = pair_.matrix();
    map_.resize(parts_ * out_, parts_ * in_);
    for (Index i = 0; i < out_; ++i)
      for (Index j = 0; j < in_; ++j) {
        map_(i, j) = static_cast<float>(w(i, j).real());
        if (parts_ == 1) continue;
        map_(out_ + i, in_ + j) = map_(i, j);
        map_(out_ + i, j) = static_cast<float>(w(i, j).imag());
        map_(i, in_ + j) = -map_(out_ + i, j);
      }
  }

  /// Real, or real and imaginary numbers, times `scale`, less `offset`, as fields; imaginary parts times `sign`.
  Matrix<Complex> fields(View<const float> numbers, Index channels, double scale, double offset, double sign) const {
    Matrix<Complex> e(numbers.rows(), channels);
    for (Index r = 0; r < e.rows(); ++r)
      for (Index j = 0; j < channels; ++j) {
        const auto at = [&](Index i) { return scale * static_cast<double>(numbers(r, i)) - offset; };
        e(r, j) = {at(j), parts_ == 2 ? sign * at(channels + j) : 0.0};
      }
    return e;
  }

  Index in_, out_, parts_;
  MeshLayout layout_;
  PhaseLaw law_;
  double middle_in_, middle_out_, gain_;
  MeshBuild build_;           ///< of the design
  std::optional<Chip> chip_;  ///< where monitors know it
  MonitorNoise monitors_{.noise = Stream(0, 0, kMonitorRead)};
  GradientCost cost_;
  std::vector<double> codes_;
  Pair pair_;
  Matrix<float> map_;  ///< (outputs, inputs) in code order
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<MeshTwin>(params); }

}  // namespace lightloop::mzi_mesh
