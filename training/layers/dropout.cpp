// Dropout whose mask is a function of the run's seed, the layer and the number of the sample.
#include "core/param.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"
#include "training/layers/streams.hpp"

namespace lightloop {
namespace {

class Dropout : public SymmetricLayer {
 public:
  Dropout(const Shape& shape, double probability) : SymmetricLayer(shape, shape), probability_(probability) {}
  std::string text() const override { return "dropout " + to_string(Value(probability_)); }

  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.training = pass.training;
    memory.kept.resize(1);
    Matrix<float>& mask = memory.kept[0];
    if (pass.training) mask.resize(y.rows(), y.cols());
    const Stream stream(pass.seed, pass.instance, kDropout);
    const auto limit = static_cast<float>(probability_), scale = static_cast<float>(1 / (1 - probability_));
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        if (!pass.training) {
          std::ranges::copy(in.x.row(r), y.row(r).begin());
          continue;
        }
        const std::span<float> m = mask.row(r);
        stream.uniform(pass.first_sample + static_cast<std::uint64_t>(r), 0, m);
        for (float& u : m) u = u < limit ? 0.0f : scale;
        multiply(in.x.row(r), m, y.row(r));
      }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        if (memory.training)
          multiply(dy.row(r), memory.kept[0].row(r), dx.row(r));
        else
          std::ranges::copy(dy.row(r), dx.row(r).begin());
    });
  }

 private:
  static void multiply(std::span<const float> a, std::span<const float> m, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] * m[i];
  }
  double probability_;
};

}  // namespace

LayerPointer dropout(Shape input, double probability) {
  if (!(probability >= 0 && probability < 1))
    throw OutOfRange("dropout", to_string(Value(probability)), "0 to below 1");
  return std::make_unique<Dropout>(input, probability);
}

}  // namespace lightloop
