// All pairs of fields at the price of one pass.
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

class Factorisation : public NetLayer {
 public:
  explicit Factorisation(const Shape& input) : NetLayer(input, {elements(input) + input[1]}), width_(input[1]) {}
  std::string text() const override { return "factorisation"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* x = in.x.row(r).data();
        std::copy_n(x, inputs(), y.row(r).data());
        float* pairs = y.row(r).data() + inputs();
        for (Index c = 0; c < width_; ++c) {
          float sum = 0, squares = 0;
          for (Index f = c; f < inputs(); f += width_) {
            sum += x[f];
            squares += x[f] * x[f];
          }
          pairs[c] = 0.5f * (sum * sum - squares);
        }
      }
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* x = in.x.row(r).data();
        const float* d = dy.row(r).data();
        float* out = dx.row(r).data();
        for (Index c = 0; c < width_; ++c) {
          float sum = 0;
          for (Index f = c; f < inputs(); f += width_) sum += x[f];
          for (Index f = c; f < inputs(); f += width_) out[f] = d[f] + d[inputs() + c] * (sum - x[f]);
        }
      }
    });
  }
  void jvp(const LayerPass&, const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory&) const override {
    for_rows(dy.rows(), dy.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float* x = in.x.row(r).data();
        const float* d = dx.row(r).data();
        std::copy_n(d, inputs(), dy.row(r).data());
        float* pairs = dy.row(r).data() + inputs();
        for (Index c = 0; c < width_; ++c) {
          float sum = 0;
          for (Index f = c; f < inputs(); f += width_) sum += x[f];
          pairs[c] = 0;
          for (Index f = c; f < inputs(); f += width_) pairs[c] += d[f] * (sum - x[f]);
        }
      }
    });
  }

 private:
  Index width_;
};

}  // namespace

LayerPointer factorisation(Shape input) {
  if (input.size() != 2) throw ShapeMismatch("factorisation", shape_text(input), "fields x features");
  return std::make_unique<Factorisation>(input);
}

}  // namespace lightloop
