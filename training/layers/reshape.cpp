// Layers that only choose or rename.
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

/// The last `outputs` values of a sample.
class Tail : public LinearLayer {
 public:
  Tail(const Shape& input, Index outputs, std::string text) : LinearLayer(input, {outputs}), text_(std::move(text)) {}
  std::string text() const override { return text_; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        std::ranges::copy(in.x.row(r).last(static_cast<std::size_t>(outputs())), y.row(r).begin());
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const std::span<float> out = dx.row(r);
        std::fill_n(out.begin(), inputs() - outputs(), 0.0f);
        std::ranges::copy(dy.row(r), out.begin() + (inputs() - outputs()));
      }
    });
  }

 private:
  std::string text_;
};

}  // namespace

LayerPointer flatten(Shape input) {
  const Index n = elements(input);
  return std::make_unique<Tail>(input, n, "flatten");
}
LayerPointer last_token(Shape input) {
  if (input.size() != 2) throw ShapeMismatch("last_token", shape_text(input), "tokens x features");
  return std::make_unique<Tail>(input, input[1], "last_token");
}

}  // namespace lightloop
