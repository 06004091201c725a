// Noise and levels for signals; weights that pass through layers before they are used.
#include "training/layers/noisy.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/param.hpp"
#include "training/layers/rows.hpp"
#include "training/layers/streams.hpp"

namespace lightloop {
namespace {

using Law = SignalNoise::Law;
constexpr const char* kLaws[] = {"gaussian", "laplacian", "uniform", "poisson", "binomial"};

std::string number(double value) { return to_string(Value(value)); }

Stream stream_of(const LayerPass& pass) {
  return pass.training ? Stream(pass.seed, pass.instance, kNoise) : Stream(0, pass.instance, kNoiseAsScored);
}

bool is_quiet(const LayerPass& pass) { return pass.quiet || (pass.products && pass.products->leaves_out_noise()); }

/// y = f(x) by chance; dx = dy.
class Chance : public SymmetricLayer {
 public:
  using SymmetricLayer::SymmetricLayer;
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory&) const override {
    const Stream stream = stream_of(pass);
    const bool quiet = is_quiet(pass);
    for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        std::ranges::copy(in.x.row(r), y.row(r).begin());
        quiet ? without_chance(y.row(r)) : draw(stream, pass.first_sample + static_cast<std::uint64_t>(r), y.row(r));
      }
    });
  }
  void vjp(const LayerInput&, View<const float>, const LayerMemory&, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    for (Index r = 0; r < dx.rows(); ++r) std::ranges::copy(dy.row(r), dx.row(r).begin());
  }

 private:
  virtual void draw(const Stream& stream, std::uint64_t row, std::span<float> x) const = 0;
  virtual void without_chance(std::span<float>) const {}
};

class Noise : public Chance {
 public:
  Noise(const Shape& shape, const SignalNoise& law) : Chance(shape, shape), law_(law) {
    if (law.law == Law::poisson)
      scale_ = law.scale ? *law.scale : poisson_scale_for_leakage(*law.leakage, *law.precision);
    if (law.law > Law::uniform) return;
    const auto kind = static_cast<NoiseLaw>(law.law);
    scale_ = law.std ? *law.std / standard_deviation(kind, 1) : scale_for_leakage(kind, *law.leakage, *law.precision);
  }
  std::string text() const override { return law_.text(); }

 private:
  void draw(const Stream& stream, std::uint64_t row, std::span<float> x) const override {
    if (law_.law == Law::poisson) return poisson_noise(scale_, *law_.precision, stream, row, x);
    if (law_.law == Law::binomial) return binomial_noise(law_.carriers, stream, row, x);
    add_noise(static_cast<NoiseLaw>(law_.law), scale_, stream, row, x);
  }
  SignalNoise law_;
  double scale_ = 0;
};

class Precision : public Chance {
 public:
  Precision(const Shape& shape, double p, bool randomly) : Chance(shape, shape), p_(p), randomly_(randomly) {}
  std::string text() const override { return "precision " + number(p_) + (randomly_ ? " stochastic" : ""); }

 private:
  void draw(const Stream& stream, std::uint64_t row, std::span<float> x) const override {
    randomly_ ? reduce_precision_randomly(p_, stream, row, x) : reduce_precision(p_, x);
  }
  void without_chance(std::span<float> x) const override { reduce_precision(p_, x); }
  double p_;
  bool randomly_;
};

class WeightsThrough : public NetLayer {
 public:
  WeightsThrough(LayerPointer inner, LayerPointer through)
      : NetLayer(inner->input_shape(), inner->output_shape()),
        inner_(std::move(inner)),
        through_(std::move(through)),
        weights_(weights_of(*inner_)) {}
  std::string text() const override { return "weights(" + inner_->text() + "; " + through_->text() + ")"; }
  Index parameters() const override { return inner_->parameters(); }
  std::uint64_t instances() const override { return inner_->instances() + through_->instances(); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    inner_->initialise(seed, instance, parameters);
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    const std::size_t first = all.size();
    inner_->add_products(instance, offset, all);
    for (std::size_t i = first; i < all.size(); ++i)
      all[i].made = [through = through_, offset, size = weights_, at = all[i].offset - offset](
                        std::span<const float> parameters, View<float> w) {
        Matrix<float> used(1, size);
        LayerMemory memory;
        through->forward(kAsWritten, {{}, {}, {parameters.data() + offset, 1, size}}, used, memory);
        std::copy_n(used.data() + at, w.size(), w.data());
      };
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.training = pass.training;
    memory.kept.resize(1);
    memory.inner.resize(2);
    Matrix<float>& used = memory.kept[0];
    used.resize(1, parameters());
    std::ranges::copy(in.parameters, used.flat().begin());
    LayerPass own = products_of(pass) ? kAsWritten : pass;
    own.instance += inner_->instances();
    if (!pass.training) own.first_sample = 0;
    through_->forward(own, as_sample(in), View<float>(used.data(), 1, weights_), memory.inner[1]);
    inner_->forward(pass, {used.flat(), in.state, in.x}, y, memory.inner[0]);
  }
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    work.inner.resize(2);
    work.kept.resize(1);
    const Matrix<float>& used = memory.kept[0];
    inner_->vjp({used.flat(), in.state, in.x}, y, memory.inner[0], dy, dx, dparameters, work.inner[0]);
    if (dparameters.empty()) return;
    const std::span<float> slopes = dparameters.first(static_cast<std::size_t>(weights_));
    Matrix<float>& from = work.kept[0];
    from.resize(1, weights_);
    std::ranges::copy(slopes, from.flat().begin());
    through_->vjp(as_sample(in), View<const float>(used.data(), 1, weights_), memory.inner[1], from,
                  {slopes.data(), 1, weights_}, {}, work.inner[1]);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    work.inner.resize(1);
    inner_->jvp(pass, {memory.kept[0].flat(), in.state, in.x}, y, memory.inner[0], dx, dy, work.inner[0]);
  }

 private:
  LayerInput as_sample(const LayerInput& in) const {
    return {{}, {}, View<const float>(in.parameters.data(), 1, weights_)};
  }
  static constexpr LayerPass kAsWritten = {.quiet = true};  ///< of weights that a device holds

  LayerPointer inner_;
  std::shared_ptr<const NetLayer> through_;
  Index weights_;
};

}  // namespace

std::string SignalNoise::text() const {
  std::string text = std::string("noise ") + kLaws[static_cast<int>(law)];
  for (const auto& [key, value] :
       {std::pair{"std", std}, {"leakage", leakage}, {"scale", scale}, {"precision", precision}})
    if (value) text += std::string(" ") + key + "=" + number(*value);
  return carriers ? text + " carriers=" + std::to_string(carriers) : text;
}

LayerPointer noise(Shape input, const SignalNoise& law) {
  const bool additive = law.law <= Law::uniform, of_binomial = law.law == Law::binomial;
  const bool by_leakage = law.leakage && law.precision && !law.std, by_std = law.std && !law.leakage && !law.precision;
  const bool fits =
      additive      ? (by_leakage || by_std) && !law.scale && !law.carriers
      : of_binomial ? !law.std && !law.leakage && !law.precision && !law.scale && law.carriers
                    : law.precision && !law.std && law.leakage.has_value() != law.scale.has_value() && !law.carriers;
  if (!fits)
    throw InvalidParameter("net", law.text(),
                           additive      ? "std=, or leakage= and precision="
                           : of_binomial ? "carriers="
                                         : "scale= and precision=, or leakage= and precision=");
  if (law.std && !(*law.std >= 0)) throw OutOfRange("noise: std", number(*law.std), "at least 0");
  if (of_binomial && law.carriers < 1) throw OutOfRange("noise: carriers", std::to_string(law.carriers), "at least 1");
  for (const auto& [name, value] : {std::pair{"noise: scale", law.scale}, {"noise: precision", law.precision}})
    if (value && !(*value > 0)) throw OutOfRange(name, number(*value), "above 0");
  if (law.scale && !(*law.scale * *law.precision >= 1))
    throw OutOfRange("noise: scale x precision", number(*law.scale * *law.precision), "at least 1");
  return std::make_unique<Noise>(input, law);
}

LayerPointer precision(Shape input, double p, bool randomly) {
  if (!(p > 0) || !std::isfinite(p)) throw OutOfRange("precision", number(p), "above 0");
  return std::make_unique<Precision>(input, p, randomly);
}

Index weights_of(const NetLayer& inner) {
  const std::string text = inner.text();
  const auto begins = [&](const char* word) { return text.starts_with(word); };
  if (!begins("dense ") && !begins("conv ") && !begins("depthwise "))
    throw Unsupported("weights(" + text + "; ...)", "a layer of this kind", "dense, conv or depthwise");
  return inner.parameters() - (text.find("bias=false") == std::string::npos ? inner.output_shape().back() : 0);
}

LayerPointer weights_through(LayerPointer inner, LayerPointer through) {
  const Index n = weights_of(*inner);
  if (through->inputs() != n || through->outputs() != n)
    throw ShapeMismatch("weights(" + inner->text() + "; ...)", std::to_string(n) + " weights",
                        through->text() + " gives " + std::to_string(through->outputs()));
  if (through->parameters() || through->state())
    throw InvalidParameter("net", through->text(), "weights pass through layers without parameters or state only",
                           "norm inf divides by the largest weight");
  return std::make_unique<WeightsThrough>(std::move(inner), std::move(through));
}

}  // namespace lightloop
