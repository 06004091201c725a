#pragma once
// What rules have in common that teach from every sample of the batch.
#include <numeric>
#include <utility>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

class WholeBatch : public Rule {
 public:
  explicit WholeBatch(RuleInfo info) : info_(std::move(info)) {}
  const RuleInfo& info() const override { return info_; }
  std::span<const Index> active_rows() const override { return rows_; }
  double loss() const override { return loss_; }
  std::span<const double> layer_loss() const override { return layer_loss_; }
  StepTouch touched() const override { return touched_; }

 protected:
  /// Begins a step of `samples` with nothing lost and nothing touched.
  void begin(Index samples, std::size_t layer_losses) {
    rows_.resize(static_cast<std::size_t>(samples));
    std::iota(rows_.begin(), rows_.end(), Index{0});
    loss_ = 0;
    layer_loss_.assign(layer_losses, 0.0);
    touched_ = {};
  }

  double loss_ = 0;
  std::vector<double> layer_loss_;
  StepTouch touched_;

 private:
  RuleInfo info_;
  std::vector<Index> rows_;
};

}  // namespace lightloop
