#pragma once
// What rules have in common that teach every hidden block by a local loss on its output, one block after the other.
#include "training/rules/block_runner.hpp"
#include "training/rules/head_view.hpp"
#include "training/rules/kept_signals.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// Runs a block, asks teach() for the local loss of its output, goes back through that block alone, and goes on to the
/// next: the activities of two blocks are held at a time. The output block learns from its error, which is known.
class HeadRule : public WholeBatch {
 public:
  /// `joined`: the last hidden block learns with the output block from the error of the output, and has no other loss.
  HeadRule(RuleInfo info, const RuleContext& context, bool joined = false);

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  /// Where blocks are not fully connected layers: dLoss/dh at their ends.
  View<const float> teaching_signal(Index hidden_block) const override { return signals_.of(hidden_block); }
  std::span<const float> learned_state() const override { return blocks_.state(); }
  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }
  /// Whatever teaches the blocks is not on the devices.
  LayerTouch layer_touch(const Network&, Index samples) const override { return {.vectors = samples}; }

 protected:
  /// Summed loss of hidden block b whose output is h (m, d), over the targets that count; `delta` becomes its
  /// derivative with respect to h. What the rule owns gets its mean gradient (over Targets::counted).
  virtual double teach(const Network& net, Index b, View<const float> h, const RuleBatch& batch,
                       Matrix<float>& delta) = 0;
  /// (rows, cols), reused.
  View<float> error_of(Index rows, Index cols) {
    error_.resize(rows, cols);
    return error_;
  }

  BlockRunner blocks_;  ///< slots 0 and 1 in turn for hidden blocks, 2 for the output
  Matrix<float> error_;

 private:
  bool joined_;
  Matrix<float> delta_;
  KeptSignals signals_;
};

}  // namespace lightloop
