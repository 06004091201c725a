// Normalisation over a batch, with running statistics as state.
#include <cmath>

#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr float kMomentum = 0.1f;

class BatchNorm : public SymmetricLayer {
 public:
  explicit BatchNorm(const Shape& shape) : SymmetricLayer(shape, shape), n_(shape.back()) {}
  std::string text() const override { return "batch_norm"; }
  Index parameters() const override { return 2 * n_; }
  bool taught() const override { return false; }
  void initialise(std::uint64_t, std::uint64_t, std::span<float> parameters) const override {
    std::fill_n(parameters.begin(), n_, 1.0f);
    std::fill_n(parameters.begin() + n_, n_, 0.0f);
  }
  Index state() const override { return 2 * n_; }
  bool needs_batch() const override { return inputs() == n_; }
  void initialise_state(std::span<float> state) const override {
    std::fill_n(state.begin(), n_, 0.0f);
    std::fill_n(state.begin() + n_, n_, 1.0f);
  }

  void learn_state(const LayerMemory& memory, std::span<float> state) const override {
    if (!memory.training) return;
    const Matrix<float>& seen = memory.kept[0];
    for (Index c = 0; c < n_; ++c) {
      float& mean = state[static_cast<std::size_t>(c)];
      float& variance = state[static_cast<std::size_t>(n_ + c)];
      mean += kMomentum * (seen(0, c) - mean);
      variance += kMomentum * (seen(2, c) - variance);
    }
  }

  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.kept.resize(1);
    Matrix<float>& seen = memory.kept[0];
    seen.resize(3, n_);
    const View<const float> x = last_axis(in.x, n_);
    memory.training = pass.training && x.rows() > 1;  // one value is its own mean: 0 would come out, whatever came in
    memory.training ? measure(x, memory) : recall(in.state, seen);
    const View<float> out = last_axis(y, n_);
    const float* __restrict gain = in.parameters.data(), * __restrict shift = gain + n_;
    const float* __restrict mean = seen.row(0).data(), * __restrict inverse = seen.row(1).data();
    for_rows(x.rows(), n_, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* __restrict from = x.row(r).data();
        float* __restrict to = out.row(r).data();
        for (Index c = 0; c < n_; ++c) to[c] = gain[c] * ((from[c] - mean[c]) * inverse[c]) + shift[c];
      }
    });
  }

  /// With u = (x - mean) / s over N rows: dx = g / s (dy - mean(dy) - u mean(dy u)) while training, g dy / s otherwise.
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const Matrix<float>& seen = memory.kept[0];
    const View<const float> x = last_axis(in.x, n_), delta = last_axis(dy, n_);
    const float *mean = seen.row(0).data(), *inverse = seen.row(1).data();
    work.sums.resize(1, 2 * n_);
    sum_rows(x.rows(), work.partial, work.sums.flat(), [&](Index r, double* sums) {
      for (Index c = 0; c < n_; ++c) {
        const auto g = static_cast<double>(delta(r, c));
        sums[c] += g * static_cast<double>((x(r, c) - mean[c]) * inverse[c]);
        sums[n_ + c] += g;
      }
    });
    if (!dparameters.empty())
      for (Index k = 0; k < 2 * n_; ++k) dparameters[static_cast<std::size_t>(k)] = static_cast<float>(work.sums(0, k));
    if (dx.empty()) return;
    work.kept.resize(1);
    Matrix<float>& means = work.kept[0];
    means.resize(2, n_);
    for (Index k = 0; k < 2 * n_; ++k)
      means.flat()[static_cast<std::size_t>(k)] =
          memory.training ? static_cast<float>(work.sums(0, k) / static_cast<double>(x.rows())) : 0.0f;
    const View<float> out = last_axis(dx, n_);
    for_rows(x.rows(), n_, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        for (Index c = 0; c < n_; ++c) {
          const float u = (x(r, c) - mean[c]) * inverse[c];
          out(r, c) =
              in.parameters[static_cast<std::size_t>(c)] * inverse[c] * (delta(r, c) - means(1, c) - u * means(0, c));
        }
    });
  }

 private:
  /// Rows of memory.kept[0]: mean, 1 / sqrt(variance + epsilon), unbiased variance.
  void measure(View<const float> x, LayerMemory& memory) const {
    Matrix<float>& seen = memory.kept[0];
    const auto rows = static_cast<double>(x.rows());
    memory.sums.resize(2, n_);
    const std::span<double> mean = memory.sums.row(0), squares = memory.sums.row(1);
    sum_rows(x.rows(), memory.partial, mean, [&](Index r, double* sums) {
      for (Index c = 0; c < n_; ++c) sums[c] += static_cast<double>(x(r, c));
    });
    for (double& m : mean) m /= rows;
    sum_rows(x.rows(), memory.partial, squares, [&](Index r, double* sums) {
      for (Index c = 0; c < n_; ++c) {
        const double d = static_cast<double>(x(r, c)) - mean[static_cast<std::size_t>(c)];
        sums[c] += d * d;
      }
    });
    for (Index c = 0; c < n_; ++c) {
      const double sum = memory.sums(1, c);
      seen(0, c) = static_cast<float>(memory.sums(0, c));
      seen(1, c) = static_cast<float>(1 / std::sqrt(sum / rows + kEpsilon));
      seen(2, c) = static_cast<float>(sum / (rows - 1));
    }
  }
  void recall(std::span<const float> state, Matrix<float>& seen) const {
    for (Index c = 0; c < n_; ++c) {
      seen(0, c) = state[static_cast<std::size_t>(c)];
      seen(2, c) = state[static_cast<std::size_t>(n_ + c)];
      seen(1, c) = static_cast<float>(1 / std::sqrt(static_cast<double>(seen(2, c)) + kEpsilon));
    }
  }
  Index n_;
};

}  // namespace

LayerPointer batch_norm(Shape input) {
  if (input.empty()) throw ShapeMismatch("batch_norm", "a sample without axes", "at least one axis");
  return std::make_unique<BatchNorm>(input);
}

}  // namespace lightloop
