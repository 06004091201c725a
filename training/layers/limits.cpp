// What keeps signals within the range of a converter: clipping, and rows brought to a norm of 1.
#include <cmath>

#include "core/param.hpp"
#include "training/layers/quantised.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr double kLeastNorm = 1e-4;  // AnalogVNN's: rows below it are divided by it

class Clamp : public SymmetricLayer {
 public:
  explicit Clamp(const Shape& shape) : SymmetricLayer(shape, shape) {}
  std::string text() const override { return "clamp"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) y.data()[i] = std::min(std::max(in.x.data()[i], -1.0f), 1.0f);
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) dx.data()[i] = std::abs(in.x.data()[i]) <= 1 ? dy.data()[i] : 0.0f;
    });
  }
};

class RowNorm : public NetLayer {
 public:
  RowNorm(const Shape& shape, double p) : NetLayer(shape, shape), p_(p) {}
  std::string text() const override { return "norm " + to_string(Value(p_)); }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto scale = static_cast<float>(1 / std::max(norm(in.x.row(r)), kLeastNorm));
        std::ranges::transform(in.x.row(r), y.row(r).begin(), [scale](float v) { return scale * v; });
      }
    });
  }
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const double size = norm(in.x.row(r)), along = size < kLeastNorm ? 0.0 : dot(dy.row(r), y.row(r));
        for (Index i = 0; i < dx.cols(); ++i)
          dx(r, i) =
              static_cast<float>((static_cast<double>(dy(r, i)) - slope(y(r, i)) * along) / std::max(size, kLeastNorm));
      }
    });
  }
  void jvp(const LayerPass&, const LayerInput& in, View<const float> y, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory&) const override {
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const double size = norm(in.x.row(r));
        double grows = 0;  // the norm
        for (Index i = 0; size >= kLeastNorm && i < dx.cols(); ++i)
          grows += slope(y(r, i)) * static_cast<double>(dx(r, i));
        for (Index i = 0; i < dx.cols(); ++i)
          dy(r, i) = static_cast<float>((static_cast<double>(dx(r, i)) - static_cast<double>(y(r, i)) * grows) /
                                        std::max(size, kLeastNorm));
      }
    });
  }

 private:
  /// Of the norm by the element that y is what became of.
  double slope(float y) const {
    const auto v = static_cast<double>(y);
    return std::copysign(std::pow(std::abs(v), p_ - 1), v);
  }
  double norm(std::span<const float> x) const {
    double sum = 0;
    for (const float v : x) sum += std::pow(std::abs(static_cast<double>(v)), p_);
    return std::pow(sum, 1 / p_);
  }
  double p_;
};

}  // namespace

LayerPointer clamp_layer(Shape input) { return std::make_unique<Clamp>(input); }

LayerPointer row_norm(Shape input, double p) {
  if (!(p >= 1 && p <= 64)) throw OutOfRange("norm", to_string(Value(p)), "1 to 64");
  return std::make_unique<RowNorm>(input, p);
}

}  // namespace lightloop
