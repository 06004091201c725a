#pragma once
// Teaching signals that outlive the layer they taught, for those who look at them after the step.
#include <algorithm>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// The first rows of every layer's signal, as many as the batch asks for (RuleBatch::keep_signals).
class KeptSignals {
 public:
  void begin(Index layers, const RuleBatch& batch) {
    rows_ = batch.keep_signals;
    signals_.resize(rows_ > 0 ? static_cast<std::size_t>(layers) : 0);
  }
  void keep(Index layer, View<const float> signal) {
    if (rows_ == 0) return;
    Matrix<float>& kept = signals_[static_cast<std::size_t>(layer)];
    kept.resize(std::min(rows_, signal.rows()), signal.cols());
    for (Index r = 0; r < kept.rows(); ++r) std::ranges::copy(signal.row(r), kept.row(r).begin());
  }
  /// Empty where none was asked for.
  View<const float> of(Index layer) const {
    return rows_ > 0 ? signals_[static_cast<std::size_t>(layer)].view() : View<const float>{};
  }

 private:
  Index rows_ = 0;
  std::vector<Matrix<float>> signals_;
};

}  // namespace lightloop
