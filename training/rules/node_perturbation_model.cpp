// Node perturbation of networks of any layers, block by block.
#include <array>

#include "training/elementwise.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/perturbed_passes.hpp"

namespace lightloop {
namespace {

/// Passes with noise are of the same samples as the one without: dropout drops the same, batch norm takes the
/// statistics of the moved batch, and they teach the net's state nothing. Where layers mix the rows of a batch so, all
/// rows move at once: what the others' noise does to a sample's loss is noise, and what its own does to theirs is left
/// out, a share of the order of 1 / batch.
class ModelNodePerturbation : public PerturbedPasses {
 public:
  ModelNodePerturbation(RuleInfo info, const RuleContext& context)
      : PerturbedPasses(std::move(info), context),
        tokens_(context.net.tokens()),
        output_(recomputes_ ? 2 : static_cast<std::size_t>(context.net.hidden_layers())),
        blocks_(context.seed, output_ + 2, context.layers) {
    check_rows_alone("node_perturbation", context.net);
  }

  std::span<const float> learned_state() const override { return blocks_.state(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    blocks_.begin_training(net, batch.first_sample);
    PerturbedPasses::gradient(net, batch, gradient);
    if (tokens_ > 1) divide(gradient, tokens_);
  }

 protected:
  View<const float> clean_pass(const Network& net, Index b, View<const float> in) override {
    const View<const float> h = blocks_.forward(net, b, in, slot(net, b));
    if (b == net.hidden_layers()) blocks_.begin_again();
    return h;
  }
  View<const float> moved_pass(const Network& net, Index b, View<const float> in, const Matrix<float>* noise,
                               float sigma) override {
    const View<const float> h = blocks_.forward(net, b, in, output_ + 1);
    Matrix<float>& moved = moved_[static_cast<std::size_t>(b % 2)];
    moved.resize(h.rows(), h.cols());
    for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r)
        for (Index j = 0; j < h.cols(); ++j) moved(r, j) = h(r, j) + (noise ? sigma * (*noise)(r, j) : 0.0f);
    });
    return moved;
  }
  View<const float> learn(const Network& net, Index b, View<const float> in, Matrix<float>& delta,
                          std::span<float> gradient) override {
    if (recomputes_ && b < net.hidden_layers()) blocks_.forward(net, b, in, slot(net, b));
    blocks_.backward(net, b, in, slot(net, b), delta, gradient);
    return blocks_.output(slot(net, b));
  }

 private:
  /// Slots of the pass without noise: all blocks, or hidden ones in turn; the output's; behind it the one that passes
  /// with noise share.
  std::size_t slot(const Network& net, Index b) const {
    if (b == net.hidden_layers()) return output_;
    return static_cast<std::size_t>(recomputes_ ? b % 2 : b);
  }

  Index tokens_;
  std::size_t output_;
  BlockRunner blocks_;
  std::array<Matrix<float>, 2> moved_;
};

}  // namespace

std::unique_ptr<Rule> model_node_perturbation(RuleInfo info, const RuleContext& context) {
  return std::make_unique<ModelNodePerturbation>(std::move(info), context);
}

}  // namespace lightloop
