#include "training/rules/block_heads.hpp"

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {

BlockHeads::BlockHeads(const RuleContext& context) : tokens_(context.net.tokens()) {
  for (Index b = 0; b < context.net.hidden_layers(); ++b) {
    const Shape shape = block_shape(context.net, b);
    if (tokens_ > 1 && (shape.size() != 2 || shape[0] != tokens_))
      throw Unsupported("a local loss of a block that gives out " + shape_text(shape),
                        "the net answers for " + std::to_string(tokens_) + " tokens one by one", "",
                        "keep (tokens, features) up to the output");
    views_.emplace_back(tokens_ > 1 ? Shape{shape[1]} : shape, context.params.integer("pool"));
    heads_.add(context.net.classes(), views_.back().width());
  }
  heads_.initialise(context.seed);
}

/// Tokens are rows of their own; they lie where they did.
View<const float> BlockHeads::see(Index b, View<const float> h) {
  if (tokens_ > 1) return {h.data(), h.rows() * tokens_, h.cols() / tokens_};
  return views_[static_cast<std::size_t>(b)].see(h);
}

View<const float> BlockHeads::scores(Index b, View<const float> h) {
  dense(Activation::identity, heads_.weights(b), heads_.bias(b), see(b, h), scores_);
  return scores_;
}

double BlockHeads::teach(Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) {
  const View<const float> seen = see(b, h);
  dense(Activation::identity, heads_.weights(b), heads_.bias(b), seen, scores_);
  error_.resize(scores_.rows(), scores_.cols());
  const double loss = answer_error(batch.loss, scores_, batch.targets(), error_);
  dense_gradient(error_, seen, seen.rows(), heads_.weight_gradient(b), heads_.bias_gradient(b));
  back(b, h, error_, delta);
  return loss;
}

void BlockHeads::back(Index b, View<const float> h, View<const float> scores, Matrix<float>& delta) {
  if (tokens_ > 1) {
    const Index rows = h.rows() * tokens_;
    delta.resize(h.rows(), h.cols());
    gemm(Transpose::no, Transpose::no, 1.0f, {scores.data(), rows, scores.size() / rows}, heads_.weights(b), 0.0f,
         {delta.data(), rows, h.cols() / tokens_});
    return;
  }
  back_through(scores, heads_.weights(b), delta);
  views_[static_cast<std::size_t>(b)].back(h, delta);
}

}  // namespace lightloop
