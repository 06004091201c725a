// Convolution with one channel per group: in memory no product worth the name, so channels run along the vector unit.
// Devices that hold weights are shown patches as by any convolution.
#include "training/layers/initial.hpp"
#include "training/layers/patches.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

class Depthwise : public NetLayer {
  static constexpr double kGain = 2;

 public:
  Depthwise(const Shape& input, const Patches& p, bool bias)
      : NetLayer(input, {p.out_height, p.out_width, p.channels}),
        p_(p),
        bias_(bias),
        products_(convolution_of_patches(input, p, p.channels, p.channels, bias)) {}

  std::string text() const override {
    const std::string n = std::to_string(p_.channels);
    return "conv " + n + " " + window_text(p_.window) + " groups=" + n + (bias_ ? "" : " bias=false");
  }
  Index parameters() const override { return p_.channels * (p_.taps() + (bias_ ? 1 : 0)); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, kGain, {parameters.data(), p_.channels, p_.taps()});
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    products_->add_products(instance, offset, all);
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, p_.channels, p_.taps(), kGain});
  }

  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.products = products_of(pass);
    memory.products ? products_->forward(pass, in, y, memory) : filter(in, in.x, bias_, y, memory);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    products_of(pass) ? products_->jvp(pass, in, y, memory, dx, dy, work) : filter(in, dx, false, dy, work);
  }

  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    if (memory.products) return products_->vjp(in, y, memory, dy, dx, dparameters, work);
    const Index n = p_.channels, taps = p_.taps(), width = n * (taps + (bias_ ? 1 : 0));
    if (!dparameters.empty()) {
      work.sums.resize(1, width);
      sum_rows(in.x.rows() * p_.positions(), work.partial, work.sums.flat(), [&](Index k, double* sums) {
        const float* g = dy.data() + k * n;
        each_tap(k, [&](Index tap, Index pixel) {
          const float* x = in.x.data() + pixel * n;
          for (Index c = 0; c < n; ++c) sums[tap * n + c] += static_cast<double>(g[c]) * static_cast<double>(x[c]);
        });
        if (bias_)
          for (Index c = 0; c < n; ++c) sums[taps * n + c] += static_cast<double>(g[c]);
      });
      for (Index c = 0; c < n; ++c) {
        for (Index t = 0; t < taps; ++t)
          dparameters[static_cast<std::size_t>(c * taps + t)] = static_cast<float>(work.sums(0, t * n + c));
        if (bias_) dparameters[static_cast<std::size_t>(n * taps + c)] = static_cast<float>(work.sums(0, taps * n + c));
      }
    }
    if (dx.empty()) return;
    transpose_weights(in, work);
    auto one = [&](Index sample) {
      std::ranges::fill(dx.row(sample), 0.0f);
      for (Index k = sample * p_.positions(); k < (sample + 1) * p_.positions(); ++k)
        each_tap(k, [&](Index tap, Index pixel) {
          const float* __restrict g = dy.data() + k * n;
          const float* __restrict w = work.kept[0].data() + tap * n;
          float* __restrict out = dx.data() + pixel * n;
          for (Index c = 0; c < n; ++c) out[c] += w[c] * g[c];
        });
    };
    parallel_for(dx.rows(), one);
  }

 private:
  void filter(const LayerInput& in, View<const float> images, bool biased, View<float> y, LayerMemory& memory) const {
    const Index n = p_.channels;
    transpose_weights(in, memory);
    for_rows(images.rows() * p_.positions(), n * p_.taps(), [&](Index begin, Index count) {
      for (Index k = begin; k < begin + count; ++k) {
        float* __restrict out = y.data() + k * n;
        if (biased)
          std::copy_n(in.parameters.data() + n * p_.taps(), n, out);
        else
          std::fill_n(out, n, 0.0f);
        each_tap(k, [&](Index tap, Index pixel) {
          const float* __restrict x = images.data() + pixel * n;
          const float* __restrict w = memory.kept[0].data() + tap * n;
          for (Index c = 0; c < n; ++c) out[c] += w[c] * x[c];
        });
      }
    });
  }
  /// Weights as (taps, channels).
  void transpose_weights(const LayerInput& in, LayerMemory& memory) const {
    memory.kept.resize(1);
    memory.kept[0].resize(p_.taps(), p_.channels);
    for (Index t = 0; t < p_.taps(); ++t)
      for (Index c = 0; c < p_.channels; ++c)
        memory.kept[0](t, c) = in.parameters[static_cast<std::size_t>(c * p_.taps() + t)];
  }
  /// f(tap, pixel of the batch) for the taps of output position k of the batch that lie inside the image.
  template <class F>
  void each_tap(Index k, const F& f) const {
    const Index sample = k / p_.positions(), i = k % p_.positions() / p_.out_width, j = k % p_.out_width;
    for (Index u = 0; u < p_.window.height; ++u)
      for (Index v = 0; v < p_.window.width; ++v) {
        const Index r = p_.row(i, u), c = p_.column(j, v);
        if (p_.inside(r, c)) f(u * p_.window.width + v, (sample * p_.height + r) * p_.width + c);
      }
  }

  Patches p_;
  bool bias_;
  LayerPointer products_;
};

}  // namespace

LayerPointer depthwise(const Shape& input, const Patches& p, bool bias) {
  return std::make_unique<Depthwise>(input, p, bias);
}

}  // namespace lightloop
