// Element-wise layers.
#include <cmath>
#include <numbers>

#include "core/vector_math.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

class Elementwise : public SymmetricLayer {
 public:
  Elementwise(const Shape& shape, Activation f) : SymmetricLayer(shape, shape), f_(f) {}
  std::string text() const override { return to_string(f_); }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      const std::span<const float> x(in.x.data() + first, static_cast<std::size_t>(count));
      activate(f_, x, {y.data() + first, x.size()});
    });
  }
  void vjp(const LayerInput&, View<const float> y, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      const auto n = static_cast<std::size_t>(count);
      times_derivative(f_, {y.data() + first, n}, {dy.data() + first, n}, 1.0f, {dx.data() + first, n});
    });
  }

 private:
  Activation f_;
};

class Gelu : public SymmetricLayer {
 public:
  explicit Gelu(const Shape& shape) : SymmetricLayer(shape, shape) {}
  std::string text() const override { return "gelu"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.kept.resize(1);
    memory.kept[0].resize(y.rows(), y.cols());
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      const float* __restrict x = in.x.data() + first;
      float* __restrict t = memory.kept[0].data() + first;
      float* __restrict out = y.data() + first;
      for (Index i = 0; i < count; ++i) t[i] = kScale * (x[i] + kCube * x[i] * x[i] * x[i]);
      const std::span<float> all(t, static_cast<std::size_t>(count));
      vector_tanh(all, all);
      for (Index i = 0; i < count; ++i) out[i] = 0.5f * x[i] * (1.0f + t[i]);
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      const float* __restrict x = in.x.data() + first;
      const float* __restrict t = memory.kept[0].data() + first;
      const float* __restrict g = dy.data() + first;
      float* __restrict out = dx.data() + first;
      for (Index i = 0; i < count; ++i) {
        const float slope = kScale * (1.0f + 3.0f * kCube * x[i] * x[i]);
        out[i] = g[i] * 0.5f * (1.0f + t[i] + x[i] * (1.0f - t[i] * t[i]) * slope);
      }
    });
  }

 private:
  static constexpr float kScale = static_cast<float>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
  static constexpr float kCube = 0.044715f;
};

class ExactGelu : public SymmetricLayer {
 public:
  explicit ExactGelu(const Shape& shape) : SymmetricLayer(shape, shape) {}
  std::string text() const override { return "gelu exact"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i)
        y.data()[i] = static_cast<float>(exact_gelu(static_cast<double>(in.x.data()[i])));
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i)
        dx.data()[i] = dy.data()[i] * static_cast<float>(exact_gelu_slope(static_cast<double>(in.x.data()[i])));
    });
  }
};

double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

}  // namespace

double exact_gelu(double x) { return x * normal_distribution(x); }
double exact_gelu_slope(double x) {
  constexpr double kDensity = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return normal_distribution(x) + x * kDensity * std::exp(-0.5 * x * x);
}

LayerPointer elementwise(Shape input, Activation f) { return std::make_unique<Elementwise>(input, f); }
LayerPointer gelu(Shape input, bool exact) {
  if (exact) return std::make_unique<ExactGelu>(input);
  return std::make_unique<Gelu>(input);
}

}  // namespace lightloop
