#include "training/rules/block_heads.hpp"

#include "training/rules/gradient.hpp"

namespace lightloop {

BlockHeads::BlockHeads(const RuleContext& context) : views_(head_views(context.net, context.params.integer("pool"))) {
  for (const HeadView& view : views_) heads_.add(context.net.classes(), view.width());
  heads_.initialise(context.seed);
}

View<const float> BlockHeads::see(Index b, View<const float> h) { return views_[static_cast<std::size_t>(b)].see(h); }

View<const float> BlockHeads::scores(Index b, View<const float> h) {
  dense(Activation::identity, heads_.weights(b), heads_.bias(b), see(b, h), scores_);
  return scores_;
}

double BlockHeads::teach(Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) {
  const View<const float> seen = see(b, h);
  dense(Activation::identity, heads_.weights(b), heads_.bias(b), seen, scores_);
  error_.resize(scores_.rows(), scores_.cols());
  const Targets targets = batch.targets();
  const double loss = answer_error(batch.loss, scores_, targets, error_);
  dense_gradient(error_, seen, targets.counted(), heads_.weight_gradient(b), heads_.bias_gradient(b));
  back(b, h, error_, delta);
  return loss;
}

void BlockHeads::back(Index b, View<const float> h, View<const float> scores, Matrix<float>& delta) {
  const Index classes = heads_.weights(b).rows();
  back_through({scores.data(), scores.size() / classes, classes}, heads_.weights(b), delta);
  views_[static_cast<std::size_t>(b)].back(h, delta);
}

}  // namespace lightloop
