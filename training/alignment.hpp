#pragma once
// How far a rule's teaching signals point where back-propagation's point.
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// Sums of cosines per hidden layer, over the samples measured since the last reset.
struct AlignmentSums {
  std::vector<double> cosines;
  std::vector<double> counts;
  /// Mean per hidden layer; NaN where nothing was measured.
  std::vector<double> means() const;
};

/// Compares on the batch of the last gradient() call.
///
/// Per active row: cos = <delta_rule, delta_bp> / (|delta_rule| |delta_bp|); a row where either is zero does not count
/// (averaging zeros of empty samples in would hide what the others do).
class Alignment {
 public:
  void add(const Network& net, const RuleBatch& batch, const Rule& rule, AlignmentSums& sums);

 private:
  std::vector<Matrix<float>> exact_;
  std::vector<LayerMemory> work_;
};

}  // namespace lightloop
