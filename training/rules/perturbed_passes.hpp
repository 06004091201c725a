#pragma once
// Node perturbation: noise in all layers at once; the change of a sample's loss says which way was good.
#include <memory>

#include "core/random.hpp"
#include "training/rules/kept_signals.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// What fully connected layers and blocks of any layers have in common: passes with and without noise, and the signals
/// that the changes of the losses make of it. Noise lies on the inputs of the units of a fully connected layer, on what
/// a block gives out; a sample whose tokens have losses is judged by their sum.
///
/// Randomness: Stream(seed, layer, kRulePerturbation), row = number of the sample * directions + direction; drawn when
/// a pass needs it and again when the gradient does, so that no more than one layer's is held.
class PerturbedPasses : public WholeBatch {
 public:
  PerturbedPasses(RuleInfo info, const RuleContext& context);
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  View<const float> teaching_signal(Index layer) const override { return signals_.of(layer); }
  StepTouch declared(const Network& net, Index samples) const override;

 protected:
  /// What layer l makes of `in` without noise.
  virtual View<const float> clean_pass(const Network& net, Index l, View<const float> in) = 0;
  /// The same with sigma times `noise` added, unless that is null.
  virtual View<const float> moved_pass(const Network& net, Index l, View<const float> in, const Matrix<float>* noise,
                                       float sigma) = 0;
  /// Gradient of layer l, which saw `in` without noise, from its signal; returns what came out of it (of hidden
  /// layers).
  virtual View<const float> learn(const Network& net, Index l, View<const float> in, Matrix<float>& delta,
                                  std::span<float> gradient) = 0;
  bool recomputes_;

 private:
  bool perturbed(const Network& net, Index layer) const { return !exact_output_ || layer < net.hidden_layers(); }
  const Matrix<float>& noise(const Network& net, const RuleBatch& batch, Index layer, Index k);
  void moved_losses(const Network& net, const RuleBatch& batch, Index k, float sigma, Matrix<float>& out);
  void find_signal(const Network& net, const RuleBatch& batch, Index layer);

  Index directions_;
  float sigma_;
  bool two_sided_, exact_output_;
  std::vector<Stream> streams_;
  KeptSignals signals_;
  Matrix<float> delta_, noise_, clean_, up_, error_, moved_error_, changes_;
};

/// out (1, m) = loss of every sample, over all of its labels; `error` becomes what each leaves at the output.
void sample_losses(const RuleBatch& batch, View<const float> logits, Matrix<float>& error, Matrix<float>& out);

/// For a network with a model.
std::unique_ptr<Rule> model_node_perturbation(RuleInfo info, const RuleContext& context);

}  // namespace lightloop
