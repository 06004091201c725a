// Two-valued weights and signals: sign with the straight-through estimator, XNOR scaling, periodic binarisation.
#include <cmath>
#include <numbers>
#include <utility>

#include "core/param.hpp"
#include "training/layers/quantised.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

float sign(float v) { return v < 0 ? -1.0f : 1.0f; }

float mean_size(std::span<const float> v) {
  double sum = 0;
  for (const float one : v) sum += static_cast<double>(std::abs(one));
  return static_cast<float>(sum / static_cast<double>(v.size()));
}

/// Back through scale sign(v), scale = mean |v|: out may be g.
void scaled_sign_back(std::span<const float> v, std::span<const float> g, float scale, std::span<float> out) {
  double along = 0;
  for (std::size_t i = 0; i < v.size(); ++i) along += static_cast<double>(g[i] * sign(v[i]));
  const auto share = static_cast<float>(along / static_cast<double>(v.size()));
  for (std::size_t i = 0; i < v.size(); ++i) out[i] = (std::abs(v[i]) <= 1 ? scale * g[i] : 0.0f) + share * sign(v[i]);
}

/// y = f(x), dx = dy g(x), element by element.
template <class F, class G>
class Surrogate : public SymmetricLayer {
 public:
  Surrogate(const Shape& shape, std::string text, F f, G g)
      : SymmetricLayer(shape, shape), text_(std::move(text)), f_(f), g_(g) {}
  std::string text() const override { return text_; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_chunks(y.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) y.data()[i] = f_(in.x.data()[i]);
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_chunks(dx.size(), kChunk, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) dx.data()[i] = dy.data()[i] * g_(in.x.data()[i]);
    });
  }

 private:
  std::string text_;
  F f_;
  G g_;
};

template <class F, class G>
LayerPointer surrogate(const Shape& shape, std::string text, F f, G g) {
  return std::make_unique<Surrogate<F, G>>(shape, std::move(text), f, g);
}

/// Two values for every weight of an output.
struct TwoValues {
  bool periodic;
  float frequency, fixed_scale;

  void make(std::span<float> of_output) const {
    const float scale = periodic ? fixed_scale : mean_size(of_output);
    for (float& v : of_output) v = scale * sign(periodic ? std::sin(frequency * v) : v);
  }
};

/// Another layer's weights made of two values first.
class TwoValued : public NetLayer {
 public:
  TwoValued(LayerPointer inner, Index outputs, Index fan_in, std::string text, BinaryWeights law, double frequency)
      : NetLayer(inner->input_shape(), inner->output_shape()),
        inner_(std::move(inner)),
        rows_(outputs),
        cols_(fan_in),
        text_(std::move(text)),
        law_{law == BinaryWeights::periodic, static_cast<float>(frequency),
             1.0f / std::sqrt(static_cast<float>(fan_in))} {}

  std::string text() const override { return text_; }
  Index parameters() const override { return inner_->parameters(); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    inner_->initialise(seed, instance, parameters);
    if (!law_.periodic) return;
    const std::span<float> w = parameters.first(static_cast<std::size_t>(rows_ * cols_));
    double square = 0;
    for (const float v : w) square += static_cast<double>(v) * static_cast<double>(v);
    const double sd = std::sqrt(square / static_cast<double>(w.size()));
    const auto scale = static_cast<float>(std::numbers::pi / 2 / (static_cast<double>(law_.frequency) * sd));
    if (sd > 0)
      for (float& v : w) v *= scale;
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    const std::size_t first = all.size();
    inner_->add_products(instance, offset, all);
    for (std::size_t i = first; i < all.size(); ++i)
      all[i].made = [law = law_, offset = all[i].offset](std::span<const float> parameters, View<float> w) {
        std::copy_n(parameters.data() + offset, w.size(), w.data());
        for (Index o = 0; o < w.rows(); ++o) law.make(w.row(o));
      };
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.training = pass.training;
    memory.kept.resize(1);
    memory.inner.resize(1);
    make(in.parameters, memory.kept[0]);
    inner_->forward(pass, {memory.kept[0].flat(), in.state, in.x}, y, memory.inner[0]);
  }
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    work.inner.resize(1);
    inner_->vjp({memory.kept[0].flat(), in.state, in.x}, y, memory.inner[0], dy, dx, dparameters, work.inner[0]);
    if (dparameters.empty()) return;
    for_rows(rows_, cols_, [&](Index first, Index count) {
      for (Index o = first; o < first + count; ++o) back(row(in.parameters, o), row(dparameters, o));
    });
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    work.inner.resize(1);
    inner_->jvp(pass, {memory.kept[0].flat(), in.state, in.x}, y, memory.inner[0], dx, dy, work.inner[0]);
  }

 private:
  template <class T>
  std::span<T> row(std::span<T> parameters, Index output) const {
    return parameters.subspan(static_cast<std::size_t>(output * cols_), static_cast<std::size_t>(cols_));
  }
  void make(std::span<const float> parameters, Matrix<float>& out) const {
    out.resize(1, static_cast<Index>(parameters.size()));
    std::ranges::copy(parameters, out.flat().begin());
    for_rows(rows_, cols_, [&](Index first, Index count) {
      for (Index o = first; o < first + count; ++o) law_.make(row(out.flat(), o));
    });
  }
  void back(std::span<const float> w, std::span<float> g) const {
    if (law_.periodic) {
      const auto [periodic, frequency, scale] = law_;
      for (std::size_t i = 0; i < w.size(); ++i) g[i] *= scale * frequency * std::cos(frequency * w[i]);
    } else {
      scaled_sign_back(w, g, mean_size(w), g);
    }
  }

  LayerPointer inner_;
  Index rows_, cols_;
  std::string text_;
  TwoValues law_;
};

class Binarise : public SymmetricLayer {
 public:
  explicit Binarise(const Shape& shape) : SymmetricLayer(shape, shape) {}
  std::string text() const override { return "binarise"; }
  void forward(const LayerPass&, const LayerInput& in, View<float> y, LayerMemory&) const override {
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float scale = mean_size(in.x.row(r));
        std::ranges::transform(in.x.row(r), y.row(r).begin(), [scale](float v) { return scale * sign(v); });
      }
    });
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (dx.empty()) return;
    for_rows(dx.rows(), dx.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        scaled_sign_back(in.x.row(r), dy.row(r), mean_size(in.x.row(r)), dx.row(r));
    });
  }
};

}  // namespace

LayerPointer sign_layer(Shape input) {
  return surrogate(input, "sign", sign, [](float x) { return std::abs(x) <= 1 ? 1.0f : 0.0f; });
}

LayerPointer periodic_sign(Shape input, double frequency) {
  if (!(frequency > 0)) throw OutOfRange("biper: frequency", to_string(Value(frequency)), "above 0");
  const auto w = static_cast<float>(frequency);
  return surrogate(
      input, "biper frequency=" + to_string(Value(static_cast<std::int64_t>(frequency))),
      [w](float x) { return sign(std::sin(w * x)); }, [w](float x) { return w * std::cos(w * x); });
}

LayerPointer binarise(Shape input) { return std::make_unique<Binarise>(input); }

LayerPointer binary_weights(LayerPointer inner, Index outputs, Index fan_in, std::string text, BinaryWeights law,
                            double frequency) {
  if (law == BinaryWeights::periodic && !(frequency > 0))
    throw OutOfRange("biper: frequency", to_string(Value(frequency)), "above 0");
  return std::make_unique<TwoValued>(std::move(inner), outputs, fan_in, std::move(text), law, frequency);
}

}  // namespace lightloop
