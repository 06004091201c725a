#pragma once
// Signals and weights of few values, with the estimators that give them a gradient.
#include "training/layers/layers.hpp"

namespace lightloop {

/// y = -1 for x < 0, else 1; dx = dy where |x| <= 1, else 0 (straight-through: the slope of the clipped identity;
/// Hubara et al., NeurIPS 2016). Word "sign".
LayerPointer sign_layer(Shape input);
/// y = K sign(x), K = mean |x| of the sample: the inputs of an XNOR layer (Rastegari et al., ECCV 2016, one scale for a
/// whole sample). dx = K dy 1[|x| <= 1] + sign(x) mean(dy sign(x)). Word "binarise".
LayerPointer binarise(Shape input);
/// y = sign(sin(w x)); dx = dy w cos(w x): the fundamental of the square wave (Vargas et al., CVPR 2024, BiPer). Word
/// "biper frequency=W".
LayerPointer periodic_sign(Shape input, double frequency);
/// y = r round(c Q) / Q, c = clip(x / r, -1, 1), Q = 2^(bits - 1) - 1, the range r a parameter (initially 1). dx = dy
/// where |x| <= r; dr = sum of dy times sign(x) beyond r, round(c Q) / Q - c within (learned step size: Esser et al.,
/// ICLR 2020). Word "quantise BITS". Throws OutOfRange for less than 2 or more than 16 bits.
LayerPointer quantise(Shape input, Index bits);

/// y = clip(x, -1, 1), its exact slope. Word "clamp".
LayerPointer clamp_layer(Shape input);
/// y = x / |x|_p per sample, |x|_p = (sum |x|^p)^(1/p) at least 1e-4 (AnalogVNN's floor), with its exact derivative.
/// Word "norm P". Throws OutOfRange for p below 1 or above 64.
LayerPointer row_norm(Shape input, double p);

enum class BinaryWeights {
  scaled_sign,  ///< a_o sign(w), a_o = mean |w_o| over the weights of output o; dw = a_o g 1[|w| <= 1] + sign(w) mean(g
                ///< sign(w)), g the gradient of the binary weight (Rastegari et al.)
  periodic      ///< sign(sin(f w)) / sqrt(fan_in); dw = g f cos(f w) / sqrt(fan_in) (Vargas et al.)
};
/// `inner` (dense or a convolution: W (outputs, fan_in), then biases) with two-valued weights; the parameters are the
/// numbers behind them. `text` as it stands in an architecture: "binary_dense 10". Periodic weights begin with a
/// quarter period at one standard deviation (assumed).
LayerPointer binary_weights(LayerPointer inner, Index outputs, Index fan_in, std::string text, BinaryWeights law,
                            double frequency = 0);

enum class Neuron {
  straight,  ///< y = 1 with probability p = sigmoid(x), else 0; dx = dy p (1 - p), as if y were p (Bengio et al.)
  smooth     ///< y = b sqrt(p), b = 1 with probability sqrt(p): mean p; dx = dy y (1 - p) / 2, the exact slope of y for
             ///< the b that was drawn ("stochastic times smooth")
};
/// Neurons that fire at random while training and give their mean p otherwise (Bengio, Leonard, Courville,
/// arXiv 1308.3432; the rule "reinforce" is their third estimator). Words "stochastic", "stochastic smooth".
/// Randomness: Stream(seed, instance, kFiring), row = number of the sample, column = element.
LayerPointer stochastic(Shape input, Neuron kind);

}  // namespace lightloop
