#pragma once
// REINFORCE: what fully connected nets and nets of any layers have in common.
#include <memory>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// What the loss usually is: a running mean over steps.
class RunningBaseline {
 public:
  explicit RunningBaseline(double memory) : memory_(memory) {}
  /// The mean of the steps before (of this one, if it is the first); takes this step's into it.
  double next(double mean);
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  double memory_, value_ = 0;
  bool known_ = false;
};

/// In a net of any layers the neurons are those of its layers `stochastic`, h = 1 with the chance p = sigmoid(a) and
/// else 0: (L - b) (h - p) stands for whatever comes back to them. What lies behind the last of them learns from e, and
/// every layer passes its signal on by its own derivative, so the mean is the gradient of the mean loss. L is the sum
/// over a sample's tokens. Where layers mix the rows of a batch (batch norm while it trains) what a sample's neurons do
/// to the losses of others is left out, a share of the order of 1 / batch. Throws Unsupported for a net without such
/// neurons, with some inside a residual or smooth ones, or on a graph; InvalidParameter for rule.recompute.
std::unique_ptr<Rule> model_reinforce(const RuleInfo& info, const RuleContext& context);

}  // namespace lightloop
