// Forward gradients on networks of any layers, block by block.
#include <algorithm>
#include <array>
#include <optional>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/rules/block_heads.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/guessed_slopes.hpp"

namespace lightloop {
namespace {

/// A guess lies on what a hidden block gives out, over all values of a sample (of all its tokens, whose losses are
/// added up); its slope goes up through the blocks above by their forward derivatives, and delta back inside the block
/// alone.
///
/// Where layers mix the rows of a batch (batch norm while it trains) all rows move at once: what the others' guesses do
/// to a sample's loss is noise, and what its own does to theirs is left out, a share of the order of 1 / batch.
class ModelForwardGradient : public GuessedSlopes {
 public:
  ModelForwardGradient(RuleInfo info, const RuleContext& context)
      : GuessedSlopes(std::move(info), context),
        tokens_(context.net.tokens()),
        output_(kept_blocks(context.net)),
        blocks_(context.seed, output_ + 1, context.layers) {
    if (context.params.text("space") == "weights")
      throw Unsupported("rule.space = weights on net " + context.net.text(),
                        "slopes along weights are taken of fully connected layers only", "",
                        "use rule.space=activities, or rule spsa");
    if (!local_target_ && has_physics_between(context))
      throw Unsupported("rule forward_gradient on net " + context.net.text(),
                        "it asks how physics behind its first layer moves, and that has no forward derivative", "",
                        "give widths (784-512-10, where slopes are measured), rule.target=local, or rule local");
    if (!local_target_) check_rows_alone("forward_gradient", context.net);
    if (recomputes_ && local_target_)
      throw InvalidParameter("rule.recompute", "true with rule.target = local on a net of layers",
                             "blocks are taught as they are passed, and two are held", "Leave it out.");
    if (has_heads()) heads_.emplace(context);
  }

  Trainable own() override { return heads_ ? heads_->trainable() : Trainable{}; }
  std::span<const float> learned_state() const override { return blocks_.state(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index hidden = net.hidden_layers();
    begin(static_cast<Index>(batch.labels.size()), static_cast<std::size_t>(heads_ ? hidden : 0));
    touched_ = declared(net, batch.activations.h[0].rows());
    signals_.begin(hidden, batch);
    blocks_.begin_training(net, batch.first_sample);
    View<const float> in = batch.activations.h[0];
    for (Index b = 0; b < hidden; ++b) {
      const View<const float> h = blocks_.forward(net, b, in, slot(b));
      if (local_target_) teach(net, batch, b, in, gradient);
      in = h;
    }
    const View<const float> logits = blocks_.forward(net, hidden, in, output_);
    error_.resize(logits.rows(), logits.cols());
    loss_ = answer_error(batch.loss, logits, batch.targets(), error_);
    blocks_.backward(net, hidden, in, output_, error_, gradient);
    blocks_.begin_again();
    in = batch.activations.h[0];
    for (Index b = 0; b < hidden && !local_target_; ++b) {
      if (recomputes_) blocks_.forward(net, b, in, slot(b));
      teach(net, batch, b, in, gradient);
      in = blocks_.output(slot(b));
    }
    if (tokens_ > 1) divide(gradient, tokens_);
  }

 protected:
  void local_signal(const Network&, const RuleBatch& batch, Index b, View<const float> h) override {
    layer_loss_[static_cast<std::size_t>(b)] =
        heads_->teach(b, h, batch, local_) / static_cast<double>(batch.labels.size());
  }
  void guess_from_scores(const Network&, Index b, View<const float> h, View<const float> scores) override {
    heads_->back(b, h, scores, guess_rows_);
  }
  void slopes_of_loss(const Network& net, Index below, View<const float> h) override {
    View<const float> moves = guess_rows_;
    for (Index b = below + 1; b < net.layers(); ++b) {
      Matrix<float>& next = moves_[static_cast<std::size_t>(b % 2)];
      const std::size_t place = b == net.hidden_layers() ? output_ : recomputes_ ? 2 + slot(b) : slot(b);
      if (recomputes_ && place != output_) blocks_.forward(net, b, h, place);
      blocks_.move(net, b, h, place, moves, next);
      moves = next;
      h = blocks_.output(place);
    }
    for (Index r = 0; r < moves.rows(); ++r)
      slopes_(0, r) = static_cast<float>(dot(error_.view().row(r), moves.row(r)));
  }

 private:
  /// Slots of hidden blocks: all of them; two in turn for those that learn and two for those above; or the first two.
  std::size_t kept_blocks(const Network& net) const {
    if (local_target_) return 2;
    return recomputes_ ? 4 : static_cast<std::size_t>(net.hidden_layers());
  }
  std::size_t slot(Index b) const { return static_cast<std::size_t>(recomputes_ || local_target_ ? b % 2 : b); }
  /// Block b learns from its signal; `in` came in.
  void teach(const Network& net, const RuleBatch& batch, Index b, View<const float> in, std::span<float> gradient) {
    Matrix<float>& delta = signal(net, batch, b, blocks_.output(slot(b)));
    blocks_.backward(net, b, in, slot(b), delta, gradient);
    signals_.keep(b, delta);
  }

  Index tokens_;
  std::size_t output_;  ///< slot of the output block
  BlockRunner blocks_;
  std::optional<BlockHeads> heads_;
  std::array<Matrix<float>, 2> moves_;
};

}  // namespace

std::unique_ptr<Rule> model_forward_gradient(RuleInfo info, const RuleContext& context) {
  return std::make_unique<ModelForwardGradient>(std::move(info), context);
}

}  // namespace lightloop
