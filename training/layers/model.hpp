#pragma once
// A network of any layers: blocks one after the other, and where their parameters lie.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "training/layers/chain.hpp"

namespace lightloop {

/// A place inside a layer of layers: layer path[0] of the block, layer path[1] of its branch, ...
struct Inside {
  std::vector<Index> path;
  Shape shape;
};

/// Layers [first, last) of a block, and the places inside them that get signals of their own.
struct Unit {
  Index block = 0, first = 0, last = 0, outputs = 0;
  std::vector<Inside> inside = {};
};

/// The architecture alone. Parameters and state are two contiguous vectors, block after block; they belong to whoever
/// trains. A block is what a local rule trains as one, and where feedback arrives.
class Model {
 public:
  /// Throws InvalidParameter without a block, ShapeMismatch where one does not fit the next or the output has more
  /// than two axes.
  Model(Shape input, std::vector<std::unique_ptr<const LayerChain>> blocks,
        std::shared_ptr<const Graph> graph = nullptr);

  const Shape& input() const { return input_; }
  /// Positions of a sample that are answered one by one: an output of tokens x classes. 1: the sample as a whole.
  Index tokens() const;
  /// What graph layers were made of: rows of a batch are its nodes then, all of them. Null without one.
  const std::shared_ptr<const Graph>& graph() const { return graph_; }
  Index blocks() const { return static_cast<Index>(blocks_.size()); }
  const LayerChain& block(Index b) const { return *blocks_[static_cast<std::size_t>(b)]; }
  Index parameters() const { return offsets_.back(); }
  Index state() const { return states_.back(); }
  Index offset(Index b) const { return offsets_[static_cast<std::size_t>(b)]; }
  /// LayerPass::instance of block b's first layer.
  std::uint64_t instance(Index b) const { return instances_[static_cast<std::size_t>(b)]; }
  /// Block b's share of the state.
  std::span<float> state_of(Index b, std::span<float> all) const;
  /// The products with weights that a device could make. Throws Unsupported for layers whose weights are in none.
  std::vector<WeightMatrix> products() const;
  /// The layers that are physics, from first to last.
  std::vector<PhysicalPlace> physics() const;
  /// NetLayer::needs_batch of any of its layers.
  bool needs_batch() const;
  /// Values that all layers give out for one sample: what a training pass keeps.
  Index values() const;
  /// What one signal teaches: whole blocks, or with `each_layer` every layer that has weights together with those
  /// behind it that have none (norms, non-linearities, pools), also in the branch of a residual, whose last layer gets
  /// the signal of the sum.
  std::vector<Unit> units(bool each_layer) const;
  /// Text that parse_model() reads back to the same model: "28x28x1 | conv 8 3x3 pad=1, relu | flatten, dense 10".
  std::string text() const;

  /// Randomness: Stream(seed, first_instance + instance(b), weights_init) for the first layer of block b.
  void initialise(std::uint64_t seed, std::span<float> parameters, std::span<float> state,
                  std::uint64_t first_instance = 0) const;
  /// One block of h[b] to h[b + 1].
  LayerInput block_input(Index b, std::span<const float> parameters, std::span<const float> state,
                         View<const float> x) const;
  /// h[0] is the batch; fills h[1] ... h[blocks] and one memory per block.
  void forward(const LayerPass& pass, std::span<const float> parameters, std::span<const float> state,
               std::vector<Matrix<float>>& h, std::vector<LayerMemory>& memory) const;
  /// Takes what a training pass saw into `state` (batch norm's running statistics).
  void learn_state(const std::vector<LayerMemory>& memory, std::span<float> state) const;

 private:
  Shape input_;
  std::vector<std::unique_ptr<const LayerChain>> blocks_;
  std::vector<Index> offsets_, states_;
  std::vector<std::uint64_t> instances_;
  std::shared_ptr<const Graph> graph_;
};

}  // namespace lightloop
