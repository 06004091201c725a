// Local heads: every hidden block learns from a linear classifier of its own.
#include <algorithm>

#include "core/error.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_rule.hpp"
#include "training/rules/own_layers.hpp"

namespace lightloop {
namespace {

class LocalHeads : public HeadRule {
 public:
  LocalHeads(RuleInfo info, const RuleContext& context)
      : HeadRule(std::move(info), context),
        sums_(context.params.text("answer") == "sum"),
        views_(head_views(context.net, context.params.integer("pool"))) {
    for (const HeadView& view : views_) heads_.add(context.net.classes(), view.width());
    heads_.initialise(context.seed);
  }

  Trainable own() override { return heads_.trainable(); }

  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override {
    blocks_.begin_answer(first_sample);
    View<const float> in = x;
    for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
    for (Index b = 0; b <= net.hidden_layers(); ++b) {
      const View<const float> h = blocks_.forward(net, b, in, static_cast<std::size_t>(b % 2));
      if (b == net.hidden_layers()) {
        add_rows(h, out);
      } else if (sums_) {
        classify(b, h);
        add_rows({logits_.data(), out.rows(), out.cols()}, out);
      }
      in = h;
    }
  }

 protected:
  double teach(const Network&, Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) override {
    if (sums_ && !batch.values.empty())
      throw Unsupported("rule.answer = sum", "the targets are real numbers", "scores of classes can be added up",
                        "Use rule.answer=output.");
    const View<const float> seen = classify(b, h);
    const Targets targets = batch.targets();
    const double loss = answer_error(batch.loss, logits_, targets, error_of(seen.rows(), logits_.cols()));
    dense_gradient(error_, seen, targets.counted(), heads_.weight_gradient(b), heads_.bias_gradient(b));
    back_through(error_, heads_.weights(b), delta);
    views_[static_cast<std::size_t>(b)].back(h, delta);
    return loss;
  }

 private:
  View<const float> classify(Index b, View<const float> h) {
    const View<const float> seen = views_[static_cast<std::size_t>(b)].see(h);
    dense(Activation::identity, heads_.weights(b), heads_.bias(b), seen, logits_);
    return seen;
  }

  bool sums_;
  std::vector<HeadView> views_;
  OwnLayers heads_;
  Matrix<float> logits_;
};

}  // namespace

RuleModel local_rule() {
  const RuleInfo info{
      .name = "local",
      .summary = "local heads: a linear classifier on every hidden block teaches that block alone",
      .equation = "delta_l = A_l^T (softmax(A_l h_l + c_l) - y) * f'(a_l), A_l trained with it; delta_L = e",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer; heads on the host",
      .source = "Belilovsky, Eickenberg, Oyallon, arXiv 1901.08164; Mono-Forward, arXiv 2501.09238",
      .params = {{"answer",
                  "",
                  std::string("output"),
                  0,
                  0,
                  "logits of the output layer, or the sum of those of all heads and the output",
                  {"output", "sum"}},
                 pool_param()},
      .any_layers = true,
      .masks = true,
      .by_error = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<LocalHeads>(info, context); }};
}

}  // namespace lightloop
