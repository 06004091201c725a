#pragma once
// What every rule does: run a layer, and turn its teaching signal into the mean gradient.
#include <span>

#include "training/elementwise.hpp"
#include "training/layer_products.hpp"
#include "training/network.hpp"

namespace lightloop {

/// Writes layer `layer`'s part of `gradient` (layout of Network::parameters()).
///
/// dW = delta^T input / samples, db = sum over rows of delta / samples. Shapes: delta (k, d_l), input (k, d_{l-1});
/// k may be smaller than `samples` when the other rows have no signal, and 0 gives a zero gradient.
void layer_gradient(const Network& net, Index layer, View<const float> delta, View<const float> input, Index samples,
                    std::span<float> gradient);
/// The same into weights and bias that lie elsewhere.
void dense_gradient(View<const float> delta, View<const float> input, Index samples, View<float> weights,
                    std::span<float> bias);
/// weights of layer `layer`'s gradient += decay W.
void add_decay(const Network& net, Index layer, float decay, std::span<float> gradient);

/// out = f(in w^T + b), (m, outputs).
void dense(Activation f, View<const float> w, std::span<const float> b, View<const float> in, Matrix<float>& out);
/// out = in W^T of a layer of the network, made in `products`, which hold the network, unless null: then in memory.
void layer_product(const Network& net, Index layer, View<const float> in, Matrix<float>& out,
                   LayerProducts* products = nullptr);
/// out = f(in W^T + b) with that product.
void layer_forward(const Network& net, Index layer, View<const float> in, Matrix<float>& out,
                   LayerProducts* products = nullptr);
/// out = delta w: the signal below a layer, not yet times f'.
void back_through(View<const float> delta, View<const float> w, Matrix<float>& out);
/// delta <- scale * delta * f'(a), f' read from h.
void times_derivative(Activation f, View<const float> h, View<float> delta, float scale = 1.0f);
/// out = row / (rms of the row + 1e-8), row by row; the tiny number only keeps a row of zeros what it is.
void normalise_rows(View<const float> in, Matrix<float>& out);
void add_rows(View<const float> in, View<float> out);  ///< out += in
void column_means(View<const float> x, std::span<float> out);

}  // namespace lightloop
