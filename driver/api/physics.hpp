#pragma once
// What a simulated device measures on itself, beside the formula: `lightloop check DEVICE --physics`.
#include <cmath>
#include <string>
#include <vector>

namespace lightloop {

/// One law of physics, tried on the running model with the user's parameters.
struct PhysicsRow {
  std::string name;     ///< "relaxation oscillation frequency"
  std::string formula;  ///< "sqrt(2 k g (mu - 1) - (g mu / 2)^2) / 2 pi"
  std::string unit;     ///< SI
  double expected = 0, measured = 0;
  double tolerance = 0;     ///< of the difference, in `unit`
  std::string detail = {};  ///< operating point, statistical error, or why it was skipped
  bool skipped = false;     ///< does not apply to these parameters
  bool agrees() const { return std::abs(measured - expected) <= tolerance; }
};

}  // namespace lightloop
