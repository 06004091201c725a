#pragma once
// Where the work of a network's layers is done when it is not in memory: matrix products, and physics.
#include <functional>
#include <span>

#include "core/array.hpp"

namespace lightloop {

class Network;

/// A product with weights, W (outputs, inputs) at `offset` of a network's parameters: of a fully connected layer, or of
/// a convolution, whose inputs are patches.
struct WeightMatrix {
  Index number = 0;  ///< of the layer in its network (LayerPass::instance)
  Index offset = 0, outputs = 0, inputs = 0;
  Index positions = 1;  ///< rows that one sample shows to it
  Index at_once = 0;    ///< samples that one product takes; 0: all
  Index part = 0;       ///< which of the groups of a convolution it is; other layers have one
  /// Fills `w` (outputs, inputs) with what the matrix has of the network's parameters, as they are used without noise
  /// (two-valued weights, weights(...)); empty: those at `offset` as they are.
  std::function<void(std::span<const float> parameters, View<float> w)> made = {};
};

/// A layer that is physics: what a device does to `inputs` numbers, read as `outputs` (PhysicalMaps).
struct PhysicalPlace {
  Index number = 0;  ///< of the layer in its network: LayerPass::instance, or of a fully connected one
  Index inputs = 0, outputs = 0;
  Index block = 0;
  bool behind_weights = false;  ///< something that learns comes before it in its block
};

/// The products of a network, made elsewhere than in memory (AnalogNetwork). Layers, and rules that make passes of
/// their own, ask here; biases and non-linearities stay with them.
class LayerProducts {
 public:
  virtual ~LayerProducts() = default;
  /// False where products are made in memory nevertheless, and only physics is elsewhere.
  virtual bool multiplies() const { return true; }
  /// The weights that multiply() works with from now on are those of `net`, as they are now; the network of the run
  /// when a step or an answer begins. Throws ShapeMismatch for other widths.
  virtual void hold(const Network& net) = 0;
  /// y (m, outputs) = x (m, inputs) W^T, W the weights of layer number `layer`, as the place makes it.
  virtual void multiply(Index layer, View<const float> x, View<float> y) = 0;
  /// Whether the place has ranges of inputs beyond which it cuts x off; `seen` then becomes x (m, inputs) as the last
  /// multiply() of that layer, of the same x, saw it: weights learn from that, and nothing goes back through what was
  /// cut off.
  virtual bool clips(Index /*layer*/, View<const float> /*x*/, Matrix<float>& /*seen*/) { return false; }
  /// The way back through a multiply() of the last pass: dx (m, inputs) = dL/dx for x as it was given there and delta
  /// (m, outputs) = dL/dy. False where the place has no way of its own: dx is then as it was, and delta W is the
  /// caller's to make. It is told where no dx is asked for (it is empty), because what a place has of its own may learn
  /// from x and delta. Several products of one layer come in the order in which they were made.
  virtual bool back(Index /*layer*/, View<const float> /*x*/, View<const float> /*delta*/, View<float> /*dx*/) {
    return false;
  }
  /// Whether the same rows give the same bits when they are asked for again. Devices do not promise it: what is read is
  /// read with the noise of its own frame.
  virtual bool repeats() const { return true; }
  /// Whether noise words of signals (layers/noisy.hpp) are left out, because the place has noise of its own. Those of
  /// weights always are: what the place holds has been written once.
  virtual bool leaves_out_noise() const { return false; }
  /// y (m, outputs) = P(x), what the physics that is layer `layer` makes of x (m, inputs). Throws Unsupported where no
  /// device stands for it.
  virtual void show(Index layer, View<const float> x, View<float> y);
  /// Whether show_back() can be asked.
  virtual bool shows_back() const { return false; }
  /// dx = (dP/dx)^T dy at x, by a model of that physics. Throws Unsupported where nobody knows one.
  virtual void show_back(Index layer, View<const float> x, View<const float> dy, View<float> dx);
};

}  // namespace lightloop
