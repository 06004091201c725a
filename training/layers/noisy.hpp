#pragma once
// What surrounds a product in AnalogVNN's networks (Shah, Youngblood, APL Mach. Learn. 1, 026116 (2023)): rounding to
// levels, noise, norms, and the same for weights. Laws: core/leakage.hpp.
#include <optional>

#include "core/leakage.hpp"
#include "training/layers/layers.hpp"

namespace lightloop {

/// A law of noise as it was written. Additive laws have a standard deviation, or take it from leakage and precision, as
/// poisson does its scale (leakage: that at |x| = 1).
struct SignalNoise {
  enum class Law { gaussian, laplacian, uniform, poisson, binomial } law = Law::gaussian;
  std::optional<double> std = {}, leakage = {}, precision = {}, scale = {};  ///< scale: of poisson
  std::int64_t carriers = 0;                                                 ///< of binomial

  std::string text() const;  ///< "noise gaussian std=0.1"
};

/// y = x + noise (gaussian, laplacian, uniform), sign(x) Poisson(|x| s p) / (s p) or sign(x) Binomial(n, |x|) / n,
/// while training and while scored; dx = dy (straight-through, exact for additive noise). Word "noise LAW key=value
/// ...". Randomness: Stream(seed, instance, kNoise), row = number of the sample, column = element; when scored
/// kNoiseAsScored of seed 0 by the place of the sample, so that equal networks score alike. Left out where the pass is
/// quiet, or its products are made in a place that leaves noise out. Throws InvalidParameter for keys that do not fit
/// the law, OutOfRange for their values; forward() OutOfRange for |x| > 1 with binomial noise.
LayerPointer noise(Shape input, const SignalNoise& law);
/// y = sign(x) ceil(|x| p - 1/2) / p, or the level above with probability frac(|x| p) (`randomly`, draws as noise();
/// the former where noise is left out); dx = dy. Words "precision P", "precision P stochastic". Throws OutOfRange for p
/// <= 0.
LayerPointer precision(Shape input, double p, bool randomly);
/// y = x / |x|_p / M, M the largest |value| of the whole batch after the norm: AnalogVNN's "M" norms. Scored, M is the
/// running mean of those of training (a tenth of each new one), so that a score does not depend on batches. Exact
/// derivative. Word "norm P max".
LayerPointer batch_norm_to_one(Shape input, double p);
/// y = x / max |x| per sample, at least 1e-4; exact derivative. Word "norm inf".
LayerPointer largest_norm(Shape input);
/// `inner` (dense or a convolution) whose weights pass through `through` first, all of them as one sample: AnalogVNN's
/// weight model. Biases stay as they are. Draws are new for every batch of training, and the same for all that is
/// scored. Where the products are made elsewhere (LayerPass::products) the place holds the weights as they come out
/// without noise and without chance - rounded to the nearest level, dropping nothing -, in training too, and dw goes
/// back by the derivatives at these. Parameters are those of `inner`. Text "weights(dense 10; clamp, precision 16)".
/// Throws Unsupported for an inner layer of another kind, ShapeMismatch, InvalidParameter where `through` has
/// parameters or state of its own.
LayerPointer weights_through(LayerPointer inner, LayerPointer through);
/// How many of a dense layer's or convolution's parameters are weights; they come first. Throws Unsupported.
Index weights_of(const NetLayer& inner);

}  // namespace lightloop
