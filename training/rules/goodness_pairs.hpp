#pragma once
// Forward-Forward: pairs of right and wrong labels, and what makes a layer tell them apart.
#include <memory>

#include "core/random.hpp"
#include "training/rules/hybrid_images.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// What fully connected layers and blocks of any layers have in common. Goodness is summed over units: outputs of a
/// fully connected layer, or channels of an image (features of tokens), whose square is then the mean over the places
/// that share their weights (assumed: Hinton's receptive fields share none).
///
/// With rule.negatives = hybrid no label is shown: right data are the samples, wrong ones patchworks of two of a batch
/// (hybrid_images.hpp; a batch of one gives itself), and the softmax output alone learns labels.
/// Randomness: wrong labels, or the other sample (column 0) and the mask, from Stream(seed, 0, kRuleNegative), row =
/// number of the sample.
class GoodnessPairs : public WholeBatch {
 public:
  /// `threshold`: goodness per unit that is neither right nor wrong, where rule.threshold is 0. Throws Unsupported for
  /// a net without hidden layers, and what label_place() does.
  GoodnessPairs(RuleInfo info, const RuleContext& context, float threshold);
  Trainable own() override { return heads_.trainable(); }
  std::vector<std::byte> snapshot() const override;  ///< running means
  void restore(const std::vector<std::byte>& state) override;

 protected:
  /// One more hidden layer (block), of so many units.
  void add_layer(Index units);
  /// raw_ = x with the label of class c, or with no label.
  void show(View<const float> x, Index c);
  void show_neutral(View<const float> x);
  /// pairs_: rows 0 to m - 1 carry the right label, rows m to 2 m - 1 a wrong one; a hard one is drawn by logits_.
  void make_pairs(const RuleBatch& batch);
  /// error_ = head_rate times the error of logits_, whose loss is counted.
  void find_error(const RuleBatch& batch);
  /// delta_ = signals at h (2 m, places * units), what layer `layer` makes of the pairs: through f' of goodness, and
  /// after it of peers. Counts the cross-entropy of right against wrong.
  void find_signals(Index layer, Activation f, View<const float> h);
  /// Goodness of one sample that counts for its answer: of layers from first_ on.
  double goodness(Index layer, std::span<const float> h) const;

  LabelPlace label_;
  float decay_, head_decay_, head_rate_;
  bool by_goodness_;
  Index classes_, first_;  ///< first_: lowest hidden layer that answers
  OwnLayers heads_;        ///< of the answering layers below the last hidden one
  Matrix<float> raw_, pairs_, delta_, logits_, part_, error_;

 private:
  Index units(Index layer) const { return means_[static_cast<std::size_t>(layer)].cols(); }
  double places(Index layer, Index values) const { return static_cast<double>(values / units(layer)); }
  void make_hybrids(const RuleBatch& batch);
  void add_peers(Index layer, View<const float> right, View<float> delta);

  float temperature_, threshold_, peer_;
  bool hard_, hybrid_;
  Index blurs_;
  ImageSize size_;  ///< of hybrids
  Matrix<float> masks_;
  Stream negative_;
  std::vector<Matrix<float>> means_;  ///< running mean activity of the units of each hidden layer
};

/// For a network with a model.
std::unique_ptr<Rule> model_ff(RuleInfo info, const RuleContext& context);

}  // namespace lightloop
