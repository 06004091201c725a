// Normalisation of each row by itself.
#include <cmath>

#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr double kEpsilon = 1e-5;

class LayerNorm : public NetLayer {
 public:
  explicit LayerNorm(const Shape& shape) : NetLayer(shape, shape), n_(shape.back()) {}
  std::string text() const override { return "layer_norm"; }
  Index parameters() const override { return 2 * n_; }
  bool taught() const override { return false; }
  void initialise(std::uint64_t, std::uint64_t, std::span<float> parameters) const override {
    std::fill_n(parameters.begin(), n_, 1.0f);
    std::fill_n(parameters.begin() + n_, n_, 0.0f);
  }

  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    const View<const float> x = last_axis(in.x, n_);
    const View<float> out = last_axis(y, n_);
    memory.kept.resize(1);
    Matrix<float>& seen = memory.kept[0];  // mean, 1 / deviation
    seen.resize(x.rows(), 2);
    const auto width = static_cast<double>(n_);
    for_rows(x.rows(), n_, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        double sum = 0, squares = 0;
        for (const float v : x.row(r)) sum += static_cast<double>(v);
        const double mean = sum / width;
        for (const float v : x.row(r)) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
        seen(r, 0) = static_cast<float>(mean);
        seen(r, 1) = static_cast<float>(1 / std::sqrt(squares / width + kEpsilon));
        for (Index c = 0; c < n_; ++c)
          out(r, c) = gain(in, c) * ((x(r, c) - seen(r, 0)) * seen(r, 1)) + gain(in, n_ + c);
      }
    });
  }

  /// With u = (x - mean) / s and v = g dy: dx = (v - mean(v) - u mean(v u)) / s.
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const View<const float> x = last_axis(in.x, n_), delta = last_axis(dy, n_);
    const Matrix<float>& seen = memory.kept[0];
    if (!dparameters.empty()) {
      work.sums.resize(1, 2 * n_);
      sum_rows(x.rows(), work.partial, work.sums.flat(), [&](Index r, double* sums) {
        for (Index c = 0; c < n_; ++c) {
          sums[c] += static_cast<double>(delta(r, c)) * static_cast<double>((x(r, c) - seen(r, 0)) * seen(r, 1));
          sums[n_ + c] += static_cast<double>(delta(r, c));
        }
      });
      for (Index k = 0; k < 2 * n_; ++k) dparameters[static_cast<std::size_t>(k)] = static_cast<float>(work.sums(0, k));
    }
    if (dx.empty()) return;
    const View<float> out = last_axis(dx, n_);
    for_rows(x.rows(), n_, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        double sum = 0, along = 0;
        for (Index c = 0; c < n_; ++c) {
          const auto v = static_cast<double>(gain(in, c) * delta(r, c));
          sum += v;
          along += v * static_cast<double>((x(r, c) - seen(r, 0)) * seen(r, 1));
        }
        const auto mean = static_cast<float>(sum / static_cast<double>(n_));
        const auto part = static_cast<float>(along / static_cast<double>(n_));
        for (Index c = 0; c < n_; ++c)
          out(r, c) = seen(r, 1) * (gain(in, c) * delta(r, c) - mean - (x(r, c) - seen(r, 0)) * seen(r, 1) * part);
      }
    });
  }
  /// With u = (x - mean) / s: dy = g (dx - mean(dx) - u mean(dx u)) / s.
  void jvp(const LayerPass&, const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dx,
           View<float> dy, LayerMemory&) const override {
    const View<const float> x = last_axis(in.x, n_), moves = last_axis(dx, n_);
    const View<float> out = last_axis(dy, n_);
    const Matrix<float>& seen = memory.kept[0];
    for_rows(x.rows(), n_, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto u = [&](Index c) { return (x(r, c) - seen(r, 0)) * seen(r, 1); };
        double sum = 0, along = 0;
        for (Index c = 0; c < n_; ++c) {
          sum += static_cast<double>(moves(r, c));
          along += static_cast<double>(moves(r, c)) * static_cast<double>(u(c));
        }
        const auto mean = static_cast<float>(sum / static_cast<double>(n_));
        const auto part = static_cast<float>(along / static_cast<double>(n_));
        for (Index c = 0; c < n_; ++c) out(r, c) = gain(in, c) * seen(r, 1) * (moves(r, c) - mean - u(c) * part);
      }
    });
  }

 private:
  static float gain(const LayerInput& in, Index c) { return in.parameters[static_cast<std::size_t>(c)]; }
  Index n_;
};

}  // namespace

LayerPointer layer_norm(Shape input) {
  if (input.empty()) throw ShapeMismatch("layer_norm", "a sample without axes", "at least one axis");
  return std::make_unique<LayerNorm>(input);
}

}  // namespace lightloop
