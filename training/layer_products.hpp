#pragma once
// Where the matrix products of a network are made when it is not in memory.
#include "core/array.hpp"

namespace lightloop {

class Network;

/// The products of a fully connected network, made elsewhere than in memory (AnalogNetwork). A rule that makes passes
/// of its own asks here; biases and non-linearities stay with it.
class LayerProducts {
 public:
  virtual ~LayerProducts() = default;
  /// The weights that multiply() works with from now on are those of `net`, as they are now; the network of the run
  /// when a step or an answer begins. Throws ShapeMismatch for other widths.
  virtual void hold(const Network& net) = 0;
  /// y (m, outputs) = x (m, inputs) W^T, W the weights of `layer`, as the place makes it.
  virtual void multiply(Index layer, View<const float> x, View<float> y) = 0;
};

}  // namespace lightloop
