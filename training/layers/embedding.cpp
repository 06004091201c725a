// From codes to vectors, with a learned vector per position.
#include <cmath>

#include "training/layers/initial.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr double kDeviation = 0.02;

class Embedding : public NetLayer {
 public:
  Embedding(const Shape& input, Index vocabulary, Index features)
      : NetLayer(input, {input[0], features}), vocabulary_(vocabulary), features_(features) {}
  std::string text() const override {
    return "embedding " + std::to_string(vocabulary_) + " " + std::to_string(features_);
  }
  Index parameters() const override { return (vocabulary_ + inputs()) * features_; }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    normal_weights(seed, instance, kDeviation * kDeviation * static_cast<double>(features_),
                   {parameters.data(), vocabulary_ + inputs(), features_});
  }
  bool takes_codes() const override { return true; }
  /// Vectors are looked up, not multiplied.
  void add_products(std::uint64_t, Index, std::vector<WeightMatrix>&) const override {}
  void add_return_weights(Index, std::vector<ReturnWeights>&) const override {}  // nothing goes back to codes
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.places.resize(in.x.rows(), in.x.cols());
    for (Index r = 0; r < in.x.rows(); ++r)
      for (Index t = 0; t < inputs(); ++t) memory.places(r, t) = code(in.x(r, t));
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        for (Index t = 0; t < inputs(); ++t) {
          const float* e = in.parameters.data() + memory.places(r, t) * features_;
          const float* p = in.parameters.data() + (vocabulary_ + t) * features_;
          for (Index c = 0; c < features_; ++c) y(r, t * features_ + c) = e[c] + p[c];
        }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory&) const override {
    for (Index r = 0; r < dx.rows(); ++r) std::ranges::fill(dx.row(r), 0.0f);
    if (dparameters.empty()) return;
    constexpr Index kColumns = 16;  // features per piece: a cache line of sums
    const View<float> d(dparameters.data(), vocabulary_ + inputs(), features_);
    for_chunks(features_, kColumns, [&](Index first, Index count) {
      for (Index r = 0; r < d.rows(); ++r) std::fill_n(&d(r, first), count, 0.0f);
      for (Index r = 0; r < dy.rows(); ++r)
        for (Index t = 0; t < inputs(); ++t)
          for (Index c = first; c < first + count; ++c) {
            const float g = dy(r, t * features_ + c);
            d(memory.places(r, t), c) += g;
            d(vocabulary_ + t, c) += g;
          }
    });
  }
  void jvp(const LayerPass&, const LayerInput&, View<const float>, const LayerMemory&, View<const float>,
           View<float> dy, LayerMemory&) const override {
    for (Index r = 0; r < dy.rows(); ++r) std::ranges::fill(dy.row(r), 0.0f);
  }

 private:
  std::int32_t code(float x) const {
    if (!(x >= 0 && x < static_cast<float>(vocabulary_)) || x != std::floor(x))
      throw OutOfRange("code", std::to_string(x),
                       "whole numbers below the vocabulary of " + std::to_string(vocabulary_));
    return static_cast<std::int32_t>(x);
  }
  Index vocabulary_, features_;
};

}  // namespace

LayerPointer embedding(Shape input, Index vocabulary, Index features) {
  if (input.size() != 1) throw ShapeMismatch("embedding", shape_text(input), "a row of codes: the number of tokens");
  check_at_least_one("vocabulary of embedding", vocabulary);
  check_at_least_one("features of embedding", features);
  if (vocabulary > (Index{1} << 24))
    throw OutOfRange("vocabulary of embedding", std::to_string(vocabulary), "at most 2^24: codes are held as floats");
  return std::make_unique<Embedding>(input, vocabulary, features);
}

}  // namespace lightloop
