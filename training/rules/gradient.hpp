#pragma once
// What every rule does once it knows the teaching signals: turn them into the mean gradient of a layer.
#include <span>

#include "training/network.hpp"

namespace lightloop {

/// Writes layer `layer`'s part of `gradient` (layout of Network::parameters()).
///
/// dW = delta^T input / samples, db = sum over rows of delta / samples. Shapes: delta (k, d_l), input (k, d_{l-1});
/// k may be smaller than `samples` when the other rows have no signal, and 0 gives a zero gradient.
void layer_gradient(const Network& net, Index layer, View<const float> delta, View<const float> input, Index samples,
                    std::span<float> gradient);

}  // namespace lightloop
