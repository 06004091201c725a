#pragma once
// The network at another place in parameter space: all that a rule can ask that knows the loss only.
#include <optional>

#include "training/rules/block_runner.hpp"

namespace lightloop {

/// What a trial's pass depends on: noise of its samples as in other passes of the run, so that two trials of a batch
/// differ by their weights alone. Dropout and statistics of the batch are left to networks that learn by them: nobody
/// keeps what a trial has met.
inline LayerPass trial_pass(std::uint64_t seed, std::uint64_t first_sample) {
  LayerPass pass;
  pass.seed = seed;
  pass.first_sample = first_sample;
  return pass;
}

/// Behind physics, or on devices, every pass is read anew: its noise is that of its own frames, which the session
/// numbers on, so that the two losses of a pair differ by it too.
class TrialNetwork {
 public:
  explicit TrialNetwork(std::uint64_t seed) : blocks_(seed, 2) {}
  /// Mean loss of what counts in the batch (Targets), at parameters + step * direction; where programmes learn, at
  /// theirs (RuleBatch::moved). Two blocks' activities are held at once, but where RuleBatch::pass is made by others.
  double mean_loss(const Network& net, const RuleBatch& batch, std::span<const float> direction, float step);

 private:
  double loss_of(const RuleBatch& batch, View<const float> answers);
  View<const float> logits(View<const float> x, std::uint64_t first_sample);

  BlockRunner blocks_;
  std::optional<Network> net_;
  Activations activations_;  // of a pass by others
  Matrix<float> error_;
};

}  // namespace lightloop
