#pragma once
// Update rules over the one contiguous parameter vector, each a single pass.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

enum class OptimizerKind { sgd, momentum, adam };
OptimizerKind optimizer_from(const std::string& name);  ///< throws UnknownName

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adam;
  double momentum = 0.9;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  ///< Kingma and Ba, arXiv 1412.6980, algorithm 1
};

/// What an optimizer remembers: a checkpoint stores it.
struct OptimizerState {
  std::int64_t steps = 0;
  std::vector<Matrix<float>> moments;  ///< (1, parameters) each: none, velocity, or Adam's m and v
};

OptimizerState optimizer_state(const OptimizerSettings& settings, Index parameters);

/// One update of `w` from gradient `g`.
///
/// sgd: w -= lr g. momentum: u = momentum u + g, w -= lr u.
/// adam: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + epsilon).
/// Moments below 1e-30 become 0: they cannot move a weight (epsilon is 1e-8), and denormal numbers are slow.
/// Square root and quotient of adam come from Newton's iteration, relative error below 1e-6 together.
/// Shapes: w, g and every moment have the same length; throws ShapeMismatch.
void optimizer_step(const OptimizerSettings& settings, OptimizerState& state, double lr, std::span<const float> g,
                    std::span<float> w);

/// The same update in parts, each made as soon as its gradient is there: together they cover all weights once. Their
/// order and where they are cut change no bit.
class OptimizerStep {
 public:
  /// Counts the step; `state`, of `parameters` weights, must outlive it. Throws ShapeMismatch.
  OptimizerStep(const OptimizerSettings& settings, OptimizerState& state, double lr, Index parameters);
  /// Weights `first`, first + 1, ... and their gradients.
  void part(Index first, std::span<const float> g, std::span<float> w) const;

  /// Of all weights alike: rate = lr / (1-b1^t), root = 1 / sqrt(1-b2^t).
  struct Factors {
    float lr, momentum, beta1, beta2, rate, root, epsilon;
  };

 private:
  OptimizerKind kind_;
  OptimizerState& state_;
  Factors factors_;
};

enum class ScheduleKind { constant, cosine, step, late };
ScheduleKind schedule_from(const std::string& name);  ///< throws UnknownName

/// Learning rate of step `step` of `steps`: constant; cosine, lr (1 + cos(pi step / steps)) / 2; step, lr times
/// `factor` for each `every` steps done; late, lr in the first half and then in a straight line to 0.
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double lr = 1e-3, factor = 0.1;
  Index every = 1;
  double at(Index step, Index steps) const;
};

}  // namespace lightloop
