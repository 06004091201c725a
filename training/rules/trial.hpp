#pragma once
// The network at another place in parameter space: all that a rule can ask that knows the loss only.
#include <array>
#include <optional>

#include "training/rules/rule.hpp"

namespace lightloop {

class TrialNetwork {
 public:
  /// Mean loss of the batch at parameters + step * direction. Fully connected networks hold two layers' activities
  /// at once.
  double mean_loss(const Network& net, const RuleBatch& batch, std::span<const float> direction, float step);

 private:
  View<const float> logits(View<const float> x);

  std::optional<Network> net_;
  Activations activations_;  // of a model, or a pass of another kind
  std::array<Matrix<float>, 2> h_;
  Matrix<float> error_;
};

}  // namespace lightloop
