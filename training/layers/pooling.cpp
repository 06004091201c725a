// Largest value and mean of windows, channel by channel.
#include <limits>

#include "training/layers/patches.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

Patches unpadded(const std::string& layer, const Shape& input, Window window) {
  if (window.padding != 0) throw OutOfRange(layer + " padding", axes_text(window.padding), "0", "pool without padding");
  return patches(layer, input, window);
}

std::string pool_text(const std::string& name, const Window& w) {
  return name + " " + std::to_string(w.height) + "x" + std::to_string(w.width) +
         (w.stride == PerAxis(w.height, w.width) ? "" : " stride=" + axes_text(w.stride));
}

class MaxPool : public NetLayer {
 public:
  MaxPool(const Shape& input, const Patches& p) : NetLayer(input, {p.out_height, p.out_width, p.channels}), p_(p) {}
  std::string text() const override { return pool_text("max_pool", p_.window); }

  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.places.resize(y.rows(), y.cols());
    const Index n = p_.channels;
    for_rows(y.rows() * p_.positions(), n * p_.taps(), [&](Index begin, Index count) {
      for (Index k = begin; k < begin + count; ++k) {
        const float* image = in.x.data() + k / p_.positions() * p_.pixels();
        const Index i = k % p_.positions() / p_.out_width, j = k % p_.out_width;
        float* __restrict out = y.data() + k * n;
        std::int32_t* __restrict place = memory.places.data() + k * n;
        for (Index u = 0; u < p_.window.height; ++u)
          for (Index v = 0; v < p_.window.width; ++v) {
            const auto pixel = static_cast<std::int32_t>(p_.row(i, u) * p_.width + p_.column(j, v));
            const float* __restrict x = image + pixel * n;
            const bool first = u == 0 && v == 0;
            for (Index c = 0; c < n; ++c) {
              const bool take = first || x[c] > out[c];
              out[c] = take ? x[c] : out[c];
              place[c] = take ? pixel : place[c];
            }
          }
      }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    const Index n = p_.channels;
    auto one = [&](Index sample) {
      const std::span<float> out = dx.row(sample);
      std::ranges::fill(out, 0.0f);
      const std::int32_t* place = memory.places.data() + sample * dy.cols();
      const float* g = dy.row(sample).data();
      for (Index k = 0; k < dy.cols(); ++k) out[static_cast<std::size_t>(place[k] * n + k % n)] += g[k];
    };
    parallel_for(dx.rows(), one);
  }
  void jvp(const LayerPass&, const LayerInput&, View<const float>, const LayerMemory& memory, View<const float> dx,
           View<float> dy, LayerMemory&) const override {
    const Index n = p_.channels;
    for_rows(dy.rows(), dy.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const std::int32_t* place = memory.places.data() + r * dy.cols();
        for (Index k = 0; k < dy.cols(); ++k) dy(r, k) = dx(r, place[k] * n + k % n);
      }
    });
  }

 private:
  Patches p_;
};

class AveragePool : public LinearLayer {
 public:
  AveragePool(const Shape& input, const Patches& p)
      : LinearLayer(input, {p.out_height, p.out_width, p.channels}),
        p_(p),
        scale_(1.0f / static_cast<float>(p.taps())) {}
  std::string text() const override { return pool_text("avg_pool", p_.window); }

  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    const Index n = p_.channels;
    for_rows(y.rows(), y.cols() * p_.taps(), [&](Index begin, Index count) {
      for (Index k = begin * p_.positions(); k < (begin + count) * p_.positions(); ++k) {
        float* __restrict out = y.data() + k * n;
        std::fill_n(out, n, 0.0f);
        each_pixel(k, [&](Index pixel) {
          const float* __restrict x = in.x.data() + pixel * n;
          for (Index c = 0; c < n; ++c) out[c] += x[c];
        });
        for (Index c = 0; c < n; ++c) out[c] *= scale_;
      }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    const Index n = p_.channels;
    auto one = [&](Index sample) {
      std::ranges::fill(dx.row(sample), 0.0f);
      for (Index k = sample * p_.positions(); k < (sample + 1) * p_.positions(); ++k) {
        const float* __restrict g = dy.data() + k * n;
        each_pixel(k, [&](Index pixel) {
          float* __restrict out = dx.data() + pixel * n;
          for (Index c = 0; c < n; ++c) out[c] += scale_ * g[c];
        });
      }
    };
    parallel_for(dx.rows(), one);
  }

 private:
  template <class F>
  void each_pixel(Index k, const F& f) const {
    const Index sample = k / p_.positions(), i = k % p_.positions() / p_.out_width, j = k % p_.out_width;
    for (Index u = 0; u < p_.window.height; ++u)
      for (Index v = 0; v < p_.window.width; ++v) f((sample * p_.height + p_.row(i, u)) * p_.width + p_.column(j, v));
  }
  Patches p_;
  float scale_;
};

class GlobalPool : public LinearLayer {
 public:
  explicit GlobalPool(const Shape& input) : LinearLayer(input, {input.back()}), n_(input.back()) {}
  std::string text() const override { return "global_pool"; }

  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), inputs(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const std::span<float> out = y.row(r);
        std::ranges::fill(out, 0.0f);
        const View<const float> points(in.x.row(r).data(), inputs() / n_, n_);
        for (Index k = 0; k < points.rows(); ++k)
          for (Index c = 0; c < n_; ++c) out[static_cast<std::size_t>(c)] += points(k, c);
        for (float& v : out) v *= scale();
      }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), inputs(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const View<float> points(dx.row(r).data(), inputs() / n_, n_);
        for (Index k = 0; k < points.rows(); ++k)
          for (Index c = 0; c < n_; ++c) points(k, c) = scale() * dy(r, c);
      }
    });
  }

 private:
  float scale() const { return static_cast<float>(n_) / static_cast<float>(inputs()); }
  Index n_;
};

}  // namespace

LayerPointer max_pool(Shape input, Window window) {
  return std::make_unique<MaxPool>(input, unpadded("max_pool", input, window));
}
LayerPointer average_pool(Shape input, Window window) {
  return std::make_unique<AveragePool>(input, unpadded("avg_pool", input, window));
}
LayerPointer global_pool(Shape input) {
  if (input.size() < 2)
    throw ShapeMismatch("global_pool", shape_text(input), "positions and channels: an image or tokens");
  return std::make_unique<GlobalPool>(input);
}

}  // namespace lightloop
