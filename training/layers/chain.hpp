#pragma once
// Layers one after the other: what a network is made of, and what a residual adds up.
#include "training/layers/layers.hpp"

namespace lightloop {

/// See chain() in layers.hpp. Its LayerMemory: inner[i] is layer i's, kept[i] its output (the last output is y).
class LayerChain : public NetLayer {
 public:
  /// Throws ShapeMismatch where an output shape is not the next input shape.
  LayerChain(Shape input, std::vector<LayerPointer> layers);
  Index count() const { return static_cast<Index>(layers_.size()); }
  const NetLayer& layer(Index i) const { return *layers_[static_cast<std::size_t>(i)]; }
  /// Where layer i's parameters begin among the chain's.
  Index offset(Index i) const { return offsets_[static_cast<std::size_t>(i)]; }

  std::string text() const override;
  Index parameters() const override { return offsets_.back(); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override;
  Index state() const override { return states_.back(); }
  void initialise_state(std::span<float> state) const override;
  void learn_state(const LayerMemory& memory, std::span<float> state) const override;
  std::uint64_t instances() const override;
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override;
  void add_physics(std::uint64_t instance, bool behind_weights, std::vector<PhysicalPlace>& all) const override;
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override;
  bool differentiable() const override;
  bool takes_codes() const override;
  bool needs_batch() const override;
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override;
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    vjp_of(0, count(), in, y, memory, dy, dx, dparameters, work);
  }
  /// The same for layers [first, last): dy belongs to the output of layer last - 1, dx to the input of layer `first`;
  /// `dparameters` is the chain's, of which the part of these layers is written. Where work.inner[i].sent is given, the
  /// layers up to i get that in place of what layer i + 1 passes back.
  void vjp_of(Index first, Index last, const LayerInput& in, View<const float> y, const LayerMemory& memory,
              View<const float> dy, View<float> dx, std::span<float> dparameters, LayerMemory& work) const;
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override;
  /// Output of layer i after forward().
  static View<const float> output(Index i, View<const float> y, const LayerMemory& memory);

 private:
  LayerInput input_of(Index i, const LayerInput& in, const LayerMemory& memory) const;

  std::vector<LayerPointer> layers_;
  std::vector<Index> offsets_, states_;
};

}  // namespace lightloop
