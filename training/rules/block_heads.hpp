#pragma once
// Linear classifiers on the hidden blocks of a network: what local losses are made of.
#include <vector>

#include "training/rules/head_view.hpp"
#include "training/rules/own_layers.hpp"

namespace lightloop {

/// A head per hidden block, A_b (d_L, width) and c_b, on what a HeadView shows of its output (setting "pool"); where a
/// net answers token by token, one for the classes of any token, on each token's features.
class BlockHeads {
 public:
  /// Throws Unsupported for a net that answers by tokens where a hidden block does not give out (tokens, features).
  explicit BlockHeads(const RuleContext& context);
  Trainable trainable() { return heads_.trainable(); }
  /// Scores (rows, classes) of what block b gives out, h (m, d): a row per sample, or per token of it.
  View<const float> scores(Index b, View<const float> h);
  /// Summed loss of head b; `delta` (m, d) becomes its derivative by h, and the head gets its mean gradient.
  double teach(Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta);
  /// delta (m, d) = what `scores` (m, d_L) of head b send back to h.
  void back(Index b, View<const float> h, View<const float> scores, Matrix<float>& delta);

 private:
  View<const float> see(Index b, View<const float> h);

  std::vector<HeadView> views_;
  OwnLayers heads_;
  Matrix<float> scores_, error_;
};

}  // namespace lightloop
