#pragma once
// Dense layers that belong to a rule: local heads, feedback nets, blocks. One contiguous memory, one gradient.
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// W_i (outputs, inputs) and b_i, one after the other as in a Network.
class OwnLayers {
 public:
  /// Makes room for one more layer and returns its number. All layers are added before the first use.
  Index add(Index outputs, Index inputs);
  /// W ~ N(0, scale^2 / inputs) from kRuleParameters (instance = number of the layer), b = 0.
  void initialise(std::uint64_t seed, float scale = 1.0f);

  Index layers() const { return static_cast<Index>(places_.size()); }
  View<float> weights(Index i) { return matrix(values_, i); }
  std::span<float> bias(Index i) { return vector(values_, i); }
  View<float> weight_gradient(Index i) { return matrix(gradient_, i); }
  std::span<float> bias_gradient(Index i) { return vector(gradient_, i); }
  std::span<float> gradient() { return gradient_.flat(); }
  Trainable trainable() { return {values_.flat(), gradient_.flat()}; }

 private:
  struct Place {
    Index offset, outputs, inputs;
  };
  View<float> matrix(Matrix<float>& all, Index i) const;
  std::span<float> vector(Matrix<float>& all, Index i) const;

  std::vector<Place> places_;
  Matrix<float> values_, gradient_;
};

}  // namespace lightloop
