#include "devices/mzi_mesh/twin.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "devices/mzi_mesh/chip.hpp"

namespace lightloop::mzi_mesh {
namespace {

using Field = std::vector<Complex>;

Field product(const Matrix<Complex>& m, const Field& x) {
  Field y(static_cast<std::size_t>(m.rows()));
  for (Index r = 0; r < m.rows(); ++r)
    for (Index c = 0; c < m.cols(); ++c) y[static_cast<std::size_t>(r)] += m(r, c) * x[static_cast<std::size_t>(c)];
  return y;
}

Field product_transposed(const Matrix<Complex>& m, const Field& x) {
  Field y(static_cast<std::size_t>(m.cols()));
  for (Index r = 0; r < m.rows(); ++r)
    for (Index c = 0; c < m.cols(); ++c) y[static_cast<std::size_t>(c)] += m(r, c) * x[static_cast<std::size_t>(r)];
  return y;
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
    const Matrix<Complex> w = joined(u_, pair_.attenuator, v_);
    for (Index r = 0; r < x.rows(); ++r) {
      const Field e = product(w, field(x.row(r), in_, 1 / middle_in_, 1));
      for (Index i = 0; i < parts_ * out_; ++i) {
        const Complex value = e[static_cast<std::size_t>(i % out_)];
        y(r, i) = static_cast<float>(middle_out_ + gain_ * (i < out_ ? value.real() : value.imag()));
      }
    }
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    const std::size_t n_mid = pair_.attenuator.size(), in = v_count();
    for (Index r = 0; r < x.rows(); ++r) {
      const Field input = field(x.row(r), in_, 1 / middle_in_, 1);
      Field g = field(grad_y.row(r), out_, gain_, 0);
      for (Complex& value : g) value = std::conj(value);
      const Field a = product(v_, input);
      const Field back_out = product_transposed(u_, g);
      Field driven(static_cast<std::size_t>(out_)), back(static_cast<std::size_t>(in_));
      for (std::size_t k = 0; k < n_mid; ++k) {
        const double t = std::sin(pair_.attenuator[k] / 2);
        driven[k] = t * a[k];
        back[k] = t * back_out[k];
      }
      const Field gx = product_transposed(v_, back);
      for (Index j = 0; j < parts_ * in_; ++j) {
        const Complex value = gx[static_cast<std::size_t>(j % in_)];
        grad_x(r, j) = static_cast<float>((j < in_ ? value.real() : -value.imag()) / middle_in_);
      }
      if (grad_theta.empty()) continue;
      const auto add = [&](std::size_t i, double slope) {
        grad_theta(0, static_cast<Index>(i)) += static_cast<float>(slope * law_.slope(codes_[i]));
      };
      const std::vector<double> first = in_situ_gradient(pair_.in, build_, input, back);
      const std::vector<double> second = in_situ_gradient(pair_.out, build_, driven, g);
      for (std::size_t i = 0; i < first.size(); ++i) add(i, first[i]);
      for (std::size_t k = 0; k < n_mid; ++k)
        add(in + k, (back_out[k] * a[k]).real() * std::cos(pair_.attenuator[k] / 2) / 2);
      for (std::size_t i = 0; i < second.size(); ++i) add(in + n_mid + i, second[i]);
    }
  }

 private:
  std::size_t v_count() const { return static_cast<std::size_t>(in_ * in_); }

  void derive() {
    std::vector<double> phases;
    for (const double code : codes_) phases.push_back(law_.phase(code));
    pair_ = mesh_pair(layout_, in_, out_, phases);
    v_ = built_matrix(pair_.in, build_);
    u_ = built_matrix(pair_.out, build_);
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
  MeshPair pair_;
  Matrix<Complex> u_, v_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<MeshTwin>(params); }

}  // namespace lightloop::mzi_mesh
