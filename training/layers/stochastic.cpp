// Neurons that fire at random, and a quantiser whose range is learned.
#include <cmath>

#include "core/param.hpp"
#include "core/vector_math.hpp"
#include "training/layers/quantised.hpp"
#include "training/layers/rows.hpp"
#include "training/layers/streams.hpp"

namespace lightloop {
namespace {

class Stochastic : public SymmetricLayer {
 public:
  Stochastic(const Shape& shape, Neuron kind) : SymmetricLayer(shape, shape), kind_(kind) {}
  std::string text() const override { return kind_ == Neuron::straight ? "stochastic" : "stochastic smooth"; }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.training = pass.training;
    memory.kept.resize(1);
    Matrix<float>& p = memory.kept[0];
    p.resize(y.rows(), y.cols());
    const Stream stream(pass.seed, pass.instance, kFiring);
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const std::span<float> mean = p.row(r), out = y.row(r);
        vector_sigmoid(in.x.row(r), mean);
        if (!pass.training) {
          std::ranges::copy(mean, out.begin());
          continue;
        }
        stream.uniform(pass.first_sample + static_cast<std::uint64_t>(r), 0, out);
        for (std::size_t i = 0; i < out.size(); ++i) {
          const float size = kind_ == Neuron::smooth ? std::sqrt(mean[i]) : 1.0f;
          const float chance = kind_ == Neuron::smooth ? size : mean[i];
          out[i] = out[i] < chance ? size : 0.0f;
        }
      }
    });
  }
  void vjp(const LayerInput&, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    const Neuron kind = memory.training ? kind_ : Neuron::straight;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        for (Index i = 0; i < dx.cols(); ++i) {
          const float p = memory.kept[0](r, i), out = y(r, i);
          const float slope = kind == Neuron::straight ? p * (1 - p) : 0.5f * out * (1 - p);
          dx(r, i) = dy(r, i) * slope;
        }
    });
  }

 private:
  Neuron kind_;
};

class Quantise : public SymmetricLayer {
 public:
  Quantise(const Shape& shape, Index bits)
      : SymmetricLayer(shape, shape), bits_(bits), top_(static_cast<float>((Index{1} << (bits - 1)) - 1)) {}
  std::string text() const override { return "quantise " + std::to_string(bits_); }
  Index parameters() const override { return 1; }
  bool taught() const override { return false; }
  void initialise(std::uint64_t, std::uint64_t, std::span<float> parameters) const override { parameters[0] = 1; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    const float range = checked(in.parameters[0]);
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) y.data()[i] = range * level(in.x.data()[i] / range);
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const float range = in.parameters[0];
    if (!dparameters.empty()) {
      double sum = 0;
      sum_rows(dy.rows(), work.partial, {&sum, 1}, [&](Index r, double* to) {
        for (Index i = 0; i < dy.cols(); ++i) {
          const float v = in.x(r, i) / range;
          to[0] += static_cast<double>(dy(r, i) * (level(v) - (std::abs(v) > 1 ? 0.0f : v)));
        }
      });
      dparameters[0] = static_cast<float>(sum);
    }
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i)
        dx.data()[i] = std::abs(in.x.data()[i]) <= range ? dy.data()[i] : 0.0f;
    });
  }

 private:
  float level(float v) const { return std::rint(std::min(std::max(v, -1.0f), 1.0f) * top_) / top_; }
  static float checked(float range) {
    if (!(range > 0)) throw OutOfRange("quantise: learned range", std::to_string(range), "above 0", "Lower train.lr.");
    return range;
  }

  Index bits_;
  float top_;
};

}  // namespace

LayerPointer stochastic(Shape input, Neuron kind) { return std::make_unique<Stochastic>(input, kind); }

LayerPointer quantise(Shape input, Index bits) {
  if (bits < 2 || bits > 16) throw OutOfRange("quantise", std::to_string(bits) + " bits", "2 to 16");
  return std::make_unique<Quantise>(input, bits);
}

}  // namespace lightloop
