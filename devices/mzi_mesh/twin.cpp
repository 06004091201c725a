#include "devices/mzi_mesh/twin.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "devices/mzi_mesh/gradient.hpp"

namespace lightloop::mzi_mesh {
namespace {

using Field = std::vector<Complex>;

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
    build_.amplitude = std::sqrt(1 - p.real("loss"));
    codes_.assign(static_cast<std::size_t>(mesh_programme_size(in_, out_)), 0.0);
    derive();
  }

  Index inputs() const override { return parts_ * in_; }
  Index outputs() const override { return parts_ * out_; }
  Index parameters() const override { return static_cast<Index>(codes_.size()); }

  void program(View<const float> theta) override {
    if (theta.rows() != 1 || theta.cols() != parameters())
      throw ShapeMismatch("mzi_mesh twin programme",
                          std::to_string(theta.rows()) + " x " + std::to_string(theta.cols()),
                          "1 x " + std::to_string(parameters()));
    codes_.assign(theta.row(0).begin(), theta.row(0).end());
    derive();
  }

  void forward(View<const float> x, View<float> y) const override {
    const Matrix<Complex> w = pair_.matrix();
    for (Index r = 0; r < x.rows(); ++r) {
      const Field e = field(x.row(r), in_, 1 / middle_in_, 1);
      for (Index i = 0; i < out_; ++i) {
        Complex sum = 0;
        for (Index j = 0; j < in_; ++j) sum += w(i, j) * e[static_cast<std::size_t>(j)];
        y(r, i) = static_cast<float>(middle_out_ + gain_ * sum.real());
        if (parts_ == 2) y(r, out_ + i) = static_cast<float>(middle_out_ + gain_ * sum.imag());
      }
    }
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    std::vector<double> slopes(grad_theta.empty() ? 0 : codes_.size());
    for (Index r = 0; r < x.rows(); ++r) {
      Field g = field(grad_y.row(r), out_, gain_, 0);
      for (Complex& value : g) value = std::conj(value);
      const Field gx = add_gradient(pair_, field(x.row(r), in_, 1 / middle_in_, 1), g, slopes);
      for (Index j = 0; j < parts_ * in_; ++j) {
        const Complex value = gx[static_cast<std::size_t>(j % in_)];
        grad_x(r, j) = static_cast<float>((j < in_ ? value.real() : -value.imag()) / middle_in_);
      }
    }
    for (std::size_t i = 0; i < slopes.size(); ++i)
      grad_theta(0, static_cast<Index>(i)) += static_cast<float>(slopes[i] * law_.slope(codes_[i]));
  }

 private:
  void derive() {
    std::vector<double> phases;
    for (const double code : codes_) phases.push_back(law_.phase(code));
    pair_ = Pair::of(layout_, in_, out_, phases, build_);
  }

  /// Real, or real and imaginary numbers, times `scale`, less `offset`, as a field.
  Field field(std::span<const float> numbers, Index channels, double scale, double offset) const {
    Field e;
    for (Index j = 0; j < channels; ++j) {
      const auto at = [&](Index i) {
        return scale * static_cast<double>(numbers[static_cast<std::size_t>(i)]) - offset;
      };
      e.emplace_back(at(j), parts_ == 2 ? at(channels + j) : 0.0);
    }
    return e;
  }

  Index in_, out_, parts_;
  MeshLayout layout_;
  PhaseLaw law_;
  double middle_in_, middle_out_, gain_;
  MeshBuild build_;
  std::vector<double> codes_;
  Pair pair_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<MeshTwin>(params); }

}  // namespace lightloop::mzi_mesh
