// y = f(W x + b) on the last axis of each sample.
#include <cmath>

#include "core/linalg.hpp"
#include "core/random.hpp"
#include "training/layers/initial.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

Shape with_last(Shape shape, Index last) {
  check_at_least_one("outputs of a dense layer", last);
  if (shape.empty()) throw ShapeMismatch("dense", "a sample without axes", "at least one axis");
  shape.back() = last;
  return shape;
}

class Dense : public NetLayer {
 public:
  Dense(Shape input, Index outputs, Activation f)
      : NetLayer(input, with_last(input, outputs)), rows_(outputs), cols_(input.back()), f_(f) {}

  std::string text() const override {
    return "dense " + std::to_string(rows_) + (f_ == Activation::identity ? "" : ", " + to_string(f_));
  }
  Index parameters() const override { return rows_ * (cols_ + 1); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, 1.0, {parameters.data(), rows_, cols_});
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    all.push_back({product_number(instance, 0), offset, rows_, cols_, outputs() / rows_});
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, rows_, cols_, 1.0});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    const View<float> out = last_axis(y, rows_);
    memory.kept.resize(1);
    layer_product(pass, last_axis(in.x, cols_), weights(in), out, memory, memory.kept[0]);
    const std::span<const float> bias = in.parameters.subspan(static_cast<std::size_t>(rows_ * cols_));
    for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) bias_and_activate(f_, bias, out.row(r));
    });
  }
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const View<const float> x = last_axis(in.x, cols_), seen = memory.kept.front();
    View<const float> delta = last_axis(dy, rows_);
    if (f_ != Activation::identity && !work.linear) {
      const View<const float> h = last_axis(y, rows_);
      work.kept.resize(1);
      Matrix<float>& scaled = work.kept[0];
      scaled.resize(delta.rows(), delta.cols());
      for_rows(delta.rows(), delta.cols(), [&, from = delta](Index first, Index count) {
        for (Index r = first; r < first + count; ++r) times_derivative(f_, h.row(r), from.row(r), 1.0f, scaled.row(r));
      });
      delta = scaled;
    }
    if (!dparameters.empty()) {
      gemm(Transpose::yes, Transpose::no, 1.0f, delta, seen.empty() ? x : seen, 0.0f,
           View<float>(dparameters.data(), rows_, cols_));
      sum_of_rows(delta, work, dparameters.subspan(static_cast<std::size_t>(rows_ * cols_)));
    }
    const View<float> below = dx.empty() ? dx : last_axis(dx, cols_);
    product_back(memory, x, delta, weights(in), below);
    if (!below.empty()) stop_clipped(x, seen, below);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    const View<float> out = last_axis(dy, rows_);
    work.kept.resize(1);
    const View<const float> moves =
        unclipped(last_axis(in.x, cols_), memory.kept.front(), last_axis(dx, cols_), work.kept[0]);
    layer_product(pass, moves, weights(in), out, work);
    if (f_ == Activation::identity) return;
    const View<const float> h = last_axis(y, rows_);
    for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) times_derivative(f_, h.row(r), out.row(r), 1.0f, out.row(r));
    });
  }

 private:
  View<const float> weights(const LayerInput& in) const { return {in.parameters.data(), rows_, cols_}; }

  Index rows_, cols_;
  Activation f_;
};

}  // namespace

LayerPointer dense(Shape input, Index outputs, Activation f) {
  return std::make_unique<Dense>(std::move(input), outputs, f);
}

}  // namespace lightloop
