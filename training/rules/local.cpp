// Local heads: every hidden block learns from a linear classifier of its own.
#include <algorithm>

#include "core/error.hpp"
#include "training/rules/block_heads.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_rule.hpp"

namespace lightloop {
namespace {

class LocalHeads : public HeadRule {
 public:
  LocalHeads(RuleInfo info, const RuleContext& context)
      : HeadRule(std::move(info), context), sums_(context.params.text("answer") == "sum"), heads_(context) {}

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
        const View<const float> logits = heads_.scores(b, h);
        add_rows({logits.data(), out.rows(), out.cols()}, out);
      }
      in = h;
    }
  }

 protected:
  double teach(const Network&, Index b, View<const float> h, const RuleBatch& batch, Matrix<float>& delta) override {
    if (sums_ && !batch.values.empty())
      throw Unsupported("rule.answer = sum", "the targets are real numbers", "scores of classes can be added up",
                        "Use rule.answer=output.");
    return heads_.teach(b, h, batch, delta);
  }

 private:
  bool sums_;
  BlockHeads heads_;
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
      .masks = true,
      .by_error = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<LocalHeads>(info, context); }};
}

}  // namespace lightloop
