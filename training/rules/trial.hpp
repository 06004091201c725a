#pragma once
// The network at another place in parameter space: all that a rule can ask that knows the loss only.
#include <optional>

#include "training/rules/rule.hpp"

namespace lightloop {

class Trial {
 public:
  /// Mean loss of the batch at parameters + step * direction.
  double mean_loss(const Network& net, const RuleBatch& batch, std::span<const float> direction, float step);

 private:
  std::optional<Network> net_;
  Activations activations_;
  Matrix<float> error_;
};

}  // namespace lightloop
