// Norms by the largest value: of a sample, or of a batch.
#include <cmath>

#include "training/layers/noisy.hpp"
#include "training/layers/quantised.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr float kLeast = 1e-4f, kMomentum = 0.1f;

/// The first element of the largest size.
std::size_t place_of_largest(std::span<const float> x) {
  std::size_t at = 0;
  for (std::size_t i = 1; i < x.size(); ++i)
    if (std::abs(x[i]) > std::abs(x[at])) at = i;
  return at;
}

/// du for y = u / |u_at|, dy given.
void back(std::span<const float> u, std::size_t at, std::span<const float> dy, std::span<float> du) {
  const float size = std::abs(u[at]);
  const float scale = 1 / std::max(size, kLeast);
  double along = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    along += static_cast<double>(dy[i] * scale) * static_cast<double>(u[i] * scale);
    du[i] = dy[i] * scale;
  }
  if (size >= kLeast) du[at] -= static_cast<float>(u[at] < 0 ? -along : along);
}

/// dy for y = u / |u_at|, du given.
void onward(std::span<const float> u, std::size_t at, std::span<const float> du, std::span<float> dy) {
  const float size = std::abs(u[at]);
  const float scale = 1 / std::max(size, kLeast);
  const float grows = size < kLeast ? 0.0f : u[at] < 0 ? -du[at] : du[at];
  for (std::size_t i = 0; i < u.size(); ++i) dy[i] = scale * (du[i] - scale * u[i] * grows);
}

class LargestNorm : public NetLayer {
 public:
  explicit LargestNorm(const Shape& shape) : NetLayer(shape, shape) {}
  std::string text() const override { return "norm inf"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const std::span<const float> x = in.x.row(r);
        const float scale = 1 / std::max(std::abs(x[place_of_largest(x)]), kLeast);
        std::ranges::transform(x, y.row(r).begin(), [scale](float v) { return scale * v; });
      }
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        back(in.x.row(r), place_of_largest(in.x.row(r)), dy.row(r), dx.row(r));
    });
  }
  void jvp(const LayerPass&, const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory&) const override {
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        onward(in.x.row(r), place_of_largest(in.x.row(r)), dx.row(r), dy.row(r));
    });
  }
};

/// kept[0]: the rows after their norm; kept[1]: the largest of the batch; inner[0]: the norm's.
class BatchNormToOne : public NetLayer {
 public:
  BatchNormToOne(const Shape& shape, double p) : NetLayer(shape, shape), norm_(row_norm(shape, p)) {}
  std::string text() const override { return norm_->text() + " max"; }
  Index state() const override { return 1; }
  void initialise_state(std::span<float> state) const override { state[0] = 0; }  // nothing was seen
  void learn_state(const LayerMemory& memory, std::span<float> state) const override {
    if (!memory.training) return;
    const float seen = memory.kept[1](0, 0);
    state[0] = state[0] == 0 ? seen : state[0] + kMomentum * (seen - state[0]);
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.training = pass.training;
    memory.inner.resize(1);
    memory.kept.resize(2);
    Matrix<float>& u = memory.kept[0];
    u.resize(y.rows(), y.cols());
    norm_->forward(pass, in, u, memory.inner[0]);
    memory.kept[1].resize(1, 1);
    float& largest = memory.kept[1](0, 0);
    largest = in.state[0] > 0 ? in.state[0] : 1;
    if (pass.training && u.size() > 0) largest = std::max(kLeast, std::abs(u.flat()[place_of_largest(u.flat())]));
    const float scale = 1 / largest;
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) y.data()[i] = scale * u.data()[i];
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory& work) const override {
    if (dx.empty()) return;
    const Matrix<float>& u = memory.kept[0];
    work.kept.resize(1);
    work.inner.resize(1);
    Matrix<float>& du = work.kept[0];
    du.resize(u.rows(), u.cols());
    const std::span<const float> all = u.flat(), slopes(dy.data(), all.size());
    if (memory.training) {
      back(all, place_of_largest(all), slopes, du.flat());
    } else {
      const float scale = 1 / memory.kept[1](0, 0);
      std::ranges::transform(slopes, du.flat().begin(), [scale](float v) { return scale * v; });
    }
    norm_->vjp(in, u, memory.inner[0], du, dx, {}, work.inner[0]);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    const Matrix<float>& u = memory.kept[0];
    work.kept.resize(1);
    work.inner.resize(1);
    Matrix<float>& du = work.kept[0];
    du.resize(u.rows(), u.cols());
    norm_->jvp(pass, in, u, memory.inner[0], dx, du, work.inner[0]);
    const std::span<float> out(dy.data(), du.flat().size());
    if (memory.training) return onward(u.flat(), place_of_largest(u.flat()), du.flat(), out);
    const float scale = 1 / memory.kept[1](0, 0);
    std::ranges::transform(du.flat(), out.begin(), [scale](float v) { return scale * v; });
  }

 private:
  LayerPointer norm_;
};

}  // namespace

LayerPointer largest_norm(Shape input) { return std::make_unique<LargestNorm>(input); }
LayerPointer batch_norm_to_one(Shape input, double p) { return std::make_unique<BatchNormToOne>(input, p); }

}  // namespace lightloop
