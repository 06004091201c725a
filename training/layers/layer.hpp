#pragma once
// A layer is a map from a batch to a batch, with its derivative. It owns its shape and nothing else: parameters,
// running statistics and workspaces are handed in, so one layer may serve many networks and threads.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "training/layer_products.hpp"

namespace lightloop {

/// Shape of one sample, the last axis running fastest: (features), (tokens, features) or (height, width, channels).
using Shape = std::vector<Index>;
Index elements(const Shape& shape);
std::string shape_text(const Shape& shape);  ///< "28x28x1"

/// What a forward pass may depend on besides its input.
struct LayerPass {
  bool training = false;              ///< dropout drops, batch norm takes the statistics of the batch
  std::uint64_t seed = 0;             ///< of the run
  std::uint64_t first_sample = 0;     ///< number of the batch's first row since the start of training
  std::uint64_t instance = 0;         ///< number of the layer in its network
  LayerProducts* products = nullptr;  ///< where products with weights are made, and physics is; null: in memory
  bool quiet = false;  ///< noise words add nothing, and round to the nearest level: what a device is told to hold
};

/// Number of product `which` of a layer that makes several; the first has the layer's own.
constexpr Index product_number(std::uint64_t instance, Index which) {
  return static_cast<Index>(instance) + (which << 32);
}
/// Who makes the products of the pass; null where that is memory.
inline LayerProducts* products_of(const LayerPass& pass) {
  return pass.products && pass.products->multiplies() ? pass.products : nullptr;
}

/// What a layer keeps between its forward pass and its vjp, and its workspaces. The storage is reused: nothing is
/// allocated once the largest batch has been met.
struct LayerMemory {
  std::vector<Matrix<float>> kept;
  Matrix<double> sums, partial;
  Matrix<std::int32_t> places;
  std::vector<LayerMemory> inner;
  bool training = false;              ///< of the pass that filled it
  LayerProducts* products = nullptr;  ///< where that pass did the layer's work; null: in memory
  std::uint64_t instance = 0;         ///< of that pass
  View<const float> sent;  ///< of the work of a vjp: takes the place of what arrives at this layer's output in a chain
  bool linear = false;  ///< of the work of a vjp: dy belongs to what the weights give, before the layer's non-linearity
};

/// y (m, outputs) = x (m, inputs) W^T, product `which` of the layer: in memory, or where the pass makes its products.
/// `memory` notes where, for product_back().
void layer_product(const LayerPass& pass, View<const float> x, View<const float> w, View<float> y, LayerMemory& memory,
                   Index which = 0);
/// The same; `seen` becomes x as far as the place's ranges reach (LayerProducts::clips), and empty where all of x is
/// used.
void layer_product(const LayerPass& pass, View<const float> x, View<const float> w, View<float> y, LayerMemory& memory,
                   Matrix<float>& seen, Index which = 0);
/// The way back through a layer_product() whose `memory` this is, where its place has one of its own: true once dx is
/// dL/dx, as LayerProducts::back(). To be called for every product, whether dx is asked for or empty.
bool went_back(const LayerMemory& memory, View<const float> x, View<const float> delta, View<float> dx,
               Index which = 0);
/// dx, unless it is empty, by that way, or else delta W.
void product_back(const LayerMemory& memory, View<const float> x, View<const float> delta, View<const float> w,
                  View<float> dx, Index which = 0);
/// dx = 0 where `seen`, unless empty, is not x.
void stop_clipped(View<const float> x, View<const float> seen, View<float> dx);
/// What is left of dx then, itself or in `storage`.
View<const float> unclipped(View<const float> x, View<const float> seen, View<const float> dx, Matrix<float>& storage);

/// One layer's share of a network, and a batch: rows are samples, contiguous.
struct LayerInput {
  std::span<const float> parameters, state;
  View<const float> x;
};

/// A matrix among parameters through which a vjp sends signals back.
struct ReturnWeights {
  Index offset = 0, rows = 0, cols = 0;
  double gain = 1;  ///< initial entries are N(0, gain / cols)
};

class LayerChain;

/// Rows of y depend on their own row of x only, unless a layer says otherwise (batch norm while it trains, graphs).
/// Calls are const: equal arguments give equal bits for any thread count.
class NetLayer {
 public:
  NetLayer(Shape input, Shape output) : input_(std::move(input)), output_(std::move(output)) {}
  virtual ~NetLayer() = default;
  const Shape& input_shape() const { return input_; }
  const Shape& output_shape() const { return output_; }
  Index inputs() const { return elements(input_); }
  Index outputs() const { return elements(output_); }

  /// As it stands in the text of an architecture.
  virtual std::string text() const = 0;
  virtual Index parameters() const { return 0; }
  /// Draws initial parameters from Stream(seed, instance, Purpose::weights_init), row = output, column = input.
  virtual void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const;
  /// Numbers that are learned without a gradient (running statistics) and saved with the parameters.
  virtual Index state() const { return 0; }
  virtual void initialise_state(std::span<float> state) const;
  /// Takes what the last training pass saw into `state`.
  virtual void learn_state(const LayerMemory& memory, std::span<float> state) const;
  /// Appends the products that forward() makes with layer_product(); the layer's number is `instance`, its parameters
  /// begin at `offset`. Throws Unsupported where weights are used in another way, as no device is asked for.
  virtual void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const;
  /// Appends the physics inside; numbers as there. `behind_weights`: something that learns comes before it in its
  /// block.
  virtual void add_physics(std::uint64_t instance, bool behind_weights, std::vector<PhysicalPlace>& all) const;
  /// Appends the matrices that vjp() may have others of their shape in place of: what goes back then goes through
  /// these, and dparameters is that of what arrives, by the weights of the forward pass. The layer's parameters begin
  /// at `offset`. Throws Unsupported where weights are not so.
  virtual void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const;
  /// Whether a signal sent to its output alone teaches it something: it has weights, not only gains and offsets.
  virtual bool taught() const { return parameters() > 0; }
  /// Whether codes are looked up in it: they are names, and nothing can be added to them.
  virtual bool takes_codes() const { return false; }
  /// Whether it takes statistics of a batch with one value per sample: a training pass over one sample has none then.
  virtual bool needs_batch() const { return false; }
  /// The layers inside, where signals can be sent to them one by one; their memory is inner[0] of this layer's.
  virtual const LayerChain* branch() const { return nullptr; }
  /// How many layer numbers (LayerPass::instance) it uses: more than one for layers made of layers.
  virtual std::uint64_t instances() const { return 1; }

  /// y (m, outputs) from x (m, inputs).
  virtual void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const = 0;
  /// False for what can be measured but not differentiated: a layer of light without a twin.
  virtual bool differentiable() const { return true; }
  /// dx = dy^T dy/dx and dparameters = dy^T dy/dparameters, summed over rows; both are overwritten, and an empty one is
  /// not computed. `memory` is that of the forward pass over the same x; `work` belongs to the caller and is reused.
  /// Throws Unsupported where differentiable() is false.
  virtual void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy,
                   View<float> dx, std::span<float> dparameters, LayerMemory& work) const = 0;
  /// dy = dy/dx dx, how y moves when x moves along dx, by the derivative that vjp() sends back through
  /// (straight-through where that one is): <u, jvp dx> = <vjp u, dx>. `pass`, `memory` and `work` as there; products
  /// with weights are made where the pass has them, as many as forward() makes. Throws Unsupported where a layer has no
  /// such derivative.
  virtual void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
                   View<const float> dx, View<float> dy, LayerMemory& work) const;

 private:
  Shape input_, output_;
};

/// dy/dx is a symmetric matrix (element-wise layers, batch norm): what moves goes forward as a signal goes back.
class SymmetricLayer : public NetLayer {
 public:
  using NetLayer::NetLayer;
  void jvp(const LayerPass&, const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dx,
           View<float> dy, LayerMemory& work) const override {
    vjp(in, y, memory, dx, dy, {}, work);
  }
};

/// y is linear in x: what moves goes forward as x does.
class LinearLayer : public NetLayer {
 public:
  using NetLayer::NetLayer;
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory&, View<const float> dx,
           View<float> dy, LayerMemory& work) const override {
    forward(pass, {in.parameters, in.state, dx}, dy, work);
  }
};

using LayerPointer = std::unique_ptr<const NetLayer>;

}  // namespace lightloop
