#pragma once
// The layers there are, one function each. Every one throws ShapeMismatch for an input shape it cannot take and
// OutOfRange for sizes below 1.
#include <optional>

#include "training/activation.hpp"
#include "training/layers/graph.hpp"
#include "training/layers/layer.hpp"

namespace lightloop {

/// y = f(W x + b) on the last axis. Parameters: W (outputs, inputs), then b. W ~ N(0, 1/inputs), b = 0.
LayerPointer dense(Shape input, Index outputs, Activation f = Activation::identity);

/// One number for each axis of an image; one alone stands for both.
struct PerAxis {
  Index rows, columns;
  PerAxis(Index both) : PerAxis(both, both) {}  // NOLINT: implicit, one number stands for both
  PerAxis(Index down, Index across) : rows(down), columns(across) {}
  bool operator==(const PerAxis&) const = default;
};
/// A window that slides over (height, width): output (n + 2 padding - size) / stride + 1 an axis, rounded down.
struct Window {
  Index height = 1, width = 1;
  PerAxis stride = 1, padding = 0;
};
/// Cross-correlation on (height, width, channels): y(i, j, o) = sum w(o, u, v, c) x(i s + u - p, j s + v - p, c) +
/// b(o), zeros outside. Output o sees the channels of its group only; groups = channels = outputs is a depthwise
/// convolution. Parameters: W (outputs, height, width, channels / groups), then b if there is one. W ~ N(0, 2/fan_in)
/// (He et al., ICCV 2015), b = 0.
LayerPointer convolution(Shape input, Index outputs, Window window, Index groups = 1, bool bias = true);
/// Largest value or mean of a window of each channel; no padding. Of equal largest values the first gets the gradient.
LayerPointer max_pool(Shape input, Window window);
LayerPointer average_pool(Shape input, Window window);
/// Mean over all positions: (..., channels) -> (channels).
LayerPointer global_pool(Shape input);

/// The non-linearities of training/activation.hpp, and gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
/// (Hendrycks, Gimpel, arXiv 1606.08415); `exact`: x Phi(x) with the normal distribution Phi, word "gelu exact".
LayerPointer elementwise(Shape input, Activation f);
LayerPointer gelu(Shape input, bool exact = false);
/// x Phi(x) and its slope Phi(x) + x phi(x), to rounding: what the exact layer computes.
double exact_gelu(double x);
double exact_gelu_slope(double x);

/// y = g (x - mean) / sqrt(var + 1e-5) + b per channel of the last axis (Ioffe, Szegedy, ICML 2015).
///
/// While training, mean and variance are those of the batch over all rows and positions, and the state (running mean,
/// running variance) moves by a tenth towards them, the variance in its unbiased form; otherwise the state is used. A
/// batch with one value per channel (one sample of a dense layer, the rest of an epoch) has no variance: the state is
/// used and does not move. Parameters: g = 1, then b = 0.
LayerPointer batch_norm(Shape input);
/// The same formula over the last axis of one row (Ba, Kiros, Hinton, arXiv 1607.06450).
LayerPointer layer_norm(Shape input);
/// While training: each value is 0 with `probability`, otherwise x / (1 - probability).
/// Randomness: Stream(seed, instance, kDropout), row = number of the sample since the start, column = element.
LayerPointer dropout(Shape input, double probability);

/// (...) -> (features), the same values.
LayerPointer flatten(Shape input);
/// (tokens, features) -> (features) of the last token.
LayerPointer last_token(Shape input);
/// y (outputs) = P(x), what a device does to a sample, all of its values in one row; 0: as many as the sample has. It
/// has no weights, and is asked where the pass has its physics (LayerProducts::show); its derivative is that of a model
/// of it (show_back). Words "physical", "physical N". forward() throws Unsupported where no device stands for it.
LayerPointer physical(Shape input, Index outputs);
/// Codes 0 ... vocabulary - 1, held as floats, (tokens) -> (tokens, features): y_t = E[x_t] + P[t]. Parameters: E
/// (vocabulary, features), then P (tokens, features), both N(0, 0.02^2) (GPT-2's choice). Codes have no derivative: dx
/// is 0. forward throws OutOfRange for a code outside the vocabulary.
LayerPointer embedding(Shape input, Index vocabulary, Index features);
/// Factorisation machine (Rendle, ICDM 2010) on one vector v_f per field, (fields, features) -> (fields + 1) features:
/// the vectors themselves, then sum over pairs f < g of v_f * v_g, element by element = ((sum v)^2 - sum v^2) / 2.
LayerPointer factorisation(Shape input);
/// softmax(Q K^T / sqrt(d)) V per head, on (tokens, features) (Vaswani et al., NeurIPS 2017); causal: a token sees
/// itself and those before it. Parameters: W (3 features, features) for Q, K, V, its b, W_out (features, features), its
/// b; W ~ N(0, 1/features), b = 0.
LayerPointer attention(Shape input, Index heads, bool causal);

/// A matrix applied to the nodes of a graph: the rows of a batch are the nodes, all of them, in order.
/// y = A x W^T + b. A is the graph's own weights: see normalised(). Parameters: W (outputs, inputs), b. W ~ N(0,
/// 1/inputs), b = 0.
LayerPointer graph_convolution(std::shared_ptr<const Graph> graph, Shape input, Index outputs);
/// y = W_self x + W_mean mean(x over neighbours) + b (Hamilton, Ying, Leskovec, NeurIPS 2017, mean aggregator).
/// Parameters: W_self, W_mean, b. A node without neighbours has mean 0.
LayerPointer graph_sage(std::shared_ptr<const Graph> graph, Shape input, Index outputs);
/// y_i = concat over heads of sum_j a_ij W x_j + b with a_ij = softmax over j of LeakyReLU(l . W x_i + r . W x_j),
/// slope 0.2, j over the neighbours that the graph names (add self-loops with with_self_loops) (Velickovic et al., ICLR
/// 2018). Parameters: W (outputs, inputs), l (outputs), r (outputs), b (outputs), heads side by side in `outputs`.
LayerPointer graph_attention(std::shared_ptr<const Graph> graph, Shape input, Index outputs, Index heads);

/// One layer after the other. Parameters and state lie one after the other, in order.
LayerPointer chain(Shape input, std::vector<LayerPointer> layers);
/// y = branch(x) + shortcut(x); an empty shortcut is the identity. The two output shapes must be equal.
LayerPointer residual(LayerPointer branch, LayerPointer shortcut = nullptr);

}  // namespace lightloop
