#pragma once
// A network block by block, as local rules run and teach it: a fully connected layer, or a block of a model.
#include <string>
#include <vector>

#include "training/layer_products.hpp"
#include "training/network.hpp"
#include "training/rules/layer_inputs.hpp"

namespace lightloop {

/// Shape of one sample behind block b (0-based).
Shape block_shape(const Network& net, Index b);
/// Throws Unsupported where rows are nodes of a graph: what one gives out changes the losses of others, for a rule that
/// holds each row against its own loss.
void check_rows_alone(const std::string& rule, const Network& net);

/// Runs blocks and goes back through one of them. Holds the activities of as many blocks as it has slots: a block run
/// into a slot takes the place of the one before it. One object serves one network shape.
class BlockRunner {
 public:
  /// `products`: where those with weights are made; null: in memory. `map`: physics in front of blocks, which are then
  /// fully connected layers.
  BlockRunner(std::uint64_t seed, std::size_t slots, LayerProducts* products = nullptr, PhysicalMap map = {})
      : seed_(seed), slots_(slots), products_(products), inputs_(std::move(map), slots) {}

  /// What follows is a training pass (dropout drops, batch norm takes the statistics of the batch) over samples
  /// numbered from `first_sample`, or one that answers for samples numbered likewise. Gradients are sums over rows by
  /// `counted` (Targets::counted), or by all rows where that is 0.
  void begin_training(const Network& net, std::uint64_t first_sample, Index counted = 0);
  void begin_answer(std::uint64_t first_sample) {
    training_ = learns_state_ = false;
    first_sample_ = first_sample;
  }
  /// What follows are passes of the same samples again, as they were or with something moved: they teach state()
  /// nothing.
  void begin_again() { learns_state_ = false; }

  /// Output of block b for `in` (m, inputs); stays until the slot is used again.
  View<const float> forward(const Network& net, Index b, View<const float> in, std::size_t slot);
  /// What the weights of block b see of `in`: forward() asks for it itself, a read-out of the caller's own does not.
  View<const float> see(Index b, View<const float> in, std::size_t slot) { return inputs_.see(b, in, slot); }
  /// What forward() left in a slot.
  View<const float> output(std::size_t slot) const { return slots_[slot].h; }
  /// From delta = dLoss/dh (m, outputs), L summed over rows, of block b, which saw `in` and lies in `slot`: its part of
  /// the mean gradient unless that is empty, and dLoss/d(in) into `below` unless that is null. `delta` becomes dLoss/da
  /// where the block is a fully connected layer. Nothing goes below a block behind physics: InternalError.
  void backward(const Network& net, Index b, View<const float> in, std::size_t slot, Matrix<float>& delta,
                std::span<float> gradient, Matrix<float>* below = nullptr);
  /// dy (m, outputs) = how the output of block b of a model moves when `in` does along dx (m, inputs): NetLayer::jvp.
  void move(const Network& net, Index b, View<const float> in, std::size_t slot, View<const float> dx,
            Matrix<float>& dy);

  /// The network's state after the blocks of the training pass so far (running statistics).
  std::span<const float> state() const { return state_.flat(); }

 private:
  struct Slot {
    Matrix<float> h;
    LayerMemory memory, moves;
  };
  LayerPass pass_of(const Model& model, Index b) const;

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  LayerProducts* products_;
  LayerInputs inputs_;
  LayerMemory work_;
  Matrix<float> state_;
  bool training_ = false, learns_state_ = false;
  std::uint64_t first_sample_ = 0;
  Index counted_ = 0;
};

}  // namespace lightloop
