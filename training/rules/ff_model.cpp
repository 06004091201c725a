// Forward-Forward on networks of any layers, block by block.
#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/goodness_pairs.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_view.hpp"

namespace lightloop {
namespace {

/// Signals go back inside a block by its own derivatives, those of peers too: dead units behind relu stay dead. The
/// blocks of one pass are held two at a time; of those without a label only what heads see of them.
///
/// Layers that mix the rows of a batch (batch norm while it trains) see right and wrong pairs together; their running
/// statistics are those of the samples as they are shown to answer. Dropout drops by row: the second half of the pairs
/// has draws of its own.
class ModelForwardForward : public GoodnessPairs {
 public:
  ModelForwardForward(RuleInfo info, const RuleContext& context);
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override;
  std::span<const float> learned_state() const override { return runner_.state(); }
  Index answer_passes(const Network& net) const override {
    return by_goodness_ ? classes_ * net.hidden_layers() : net.layers();
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (3 * net.hidden_layers() + 1) * samples};
  }
  LayerTouch layer_touch(const Network&, Index samples) const override {  // hidden blocks; the output sees one
    return {.vectors = 3 * samples};
  }
  LayerTouch answer_touch(const Network&) const override { return {.vectors = by_goodness_ ? classes_ : 1}; }

 private:
  static constexpr std::size_t kOutput = 2;  ///< slot of the output block; hidden ones take 0 and 1 in turn

  static std::size_t slot(Index b) { return static_cast<std::size_t>(b % 2); }
  View<const float> normalised(View<const float> h, Index b) {
    normalise_rows(h, normal_[slot(b)]);
    return normal_[slot(b)];
  }
  void neutral_pass(const Network& net, View<const float> x);
  void teach_head(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  static void add_block_decay(const Network& net, Index b, float decay, std::span<float> gradient);

  BlockRunner runner_;
  std::vector<HeadView> views_;          ///< of the heads
  std::vector<Matrix<float>> seen_;      ///< by the heads, without a label
  std::array<Matrix<float>, 2> normal_;  ///< what hidden blocks give out, in turn
  Matrix<float> start_;
};

ModelForwardForward::ModelForwardForward(RuleInfo info, const RuleContext& context)
    : GoodnessPairs(std::move(info), context, 1.0f), runner_(context.seed, 3, context.layers, context.map) {
  const Network& net = context.net;
  if (context.params.boolean("recompute"))
    throw InvalidParameter("rule.recompute", "true on a net of layers", "blocks are held two at a time as it is",
                           "Leave it out.");
  const auto work = std::make_shared<HeadView::Work>();
  for (Index b = 0; b < net.hidden_layers(); ++b) {
    const Shape shape = block_shape(net, b);
    add_layer(shape.back());
    if (b < first_ || b + 1 == net.hidden_layers()) continue;
    views_.emplace_back(shape, context.params.integer("pool"), 1, work);
    heads_.add(classes_, views_.back().width());
  }
  heads_.initialise(context.seed);
  seen_.resize(views_.size());
}

/// Logits, from activities that have seen no label: of the heads, then of the net's output.
void ModelForwardForward::neutral_pass(const Network& net, View<const float> x) {
  const Index hidden = net.hidden_layers();
  show_neutral(x);
  normalise_rows(raw_, start_);
  logits_.resize(x.rows(), classes_);
  std::ranges::fill(logits_.flat(), 0.0f);
  View<const float> in = start_;
  for (Index b = 0; b < hidden; ++b) {
    in = normalised(runner_.forward(net, b, in, slot(b)), b);
    if (b < first_ || b + 1 == hidden) continue;
    const auto head = static_cast<std::size_t>(b - first_);
    const View<const float> seen = views_[head].see(in);
    seen_[head].resize(seen.rows(), seen.cols());
    std::copy_n(seen.data(), seen.size(), seen_[head].data());
    dense(Activation::identity, heads_.weights(b - first_), heads_.bias(b - first_), seen, part_);
    add_rows(part_, logits_);
  }
  add_rows(runner_.forward(net, hidden, in, kOutput), logits_);
  touched_.passes += (hidden + 1) * x.rows();
}

void ModelForwardForward::teach_head(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index hidden = net.hidden_layers(), samples = logits_.rows();
  find_error(batch);
  for (std::size_t head = 0; head < seen_.size(); ++head) {
    const auto i = static_cast<Index>(head);
    const View<float> g = heads_.weight_gradient(i), w = heads_.weights(i);
    dense_gradient(error_, seen_[head], samples, g, heads_.bias_gradient(i));
    for (Index j = 0; j < g.size(); ++j) g.data()[j] += head_rate_ * head_decay_ * w.data()[j];
  }
  runner_.backward(net, hidden, normal_[slot(hidden - 1)], kOutput, error_, gradient);
  add_block_decay(net, hidden, head_rate_ * head_decay_, gradient);
}

/// Of the layers with weights, of all that they learn.
void ModelForwardForward::add_block_decay(const Network& net, Index b, float decay, std::span<float> gradient) {
  const LayerChain& block = net.model()->block(b);
  for (Index i = 0; i < block.count(); ++i) {
    const auto first = static_cast<std::size_t>(net.model()->offset(b) + block.offset(i));
    const auto count = static_cast<std::size_t>(block.layer(i).taught() ? block.layer(i).parameters() : 0);
    for (std::size_t j = first; j < first + count; ++j) gradient[j] += decay * net.parameters()[j];
  }
}

void ModelForwardForward::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  begin(x.rows(), static_cast<std::size_t>(net.layers()));
  runner_.begin_training(net, batch.first_sample, x.rows());
  if (by_goodness_) runner_.begin_again();
  neutral_pass(net, x);
  make_pairs(batch);
  teach_head(net, batch, gradient);
  by_goodness_ ? runner_.begin_training(net, batch.first_sample, x.rows()) : runner_.begin_again();
  normalise_rows(pairs_, start_);
  View<const float> in = start_;
  for (Index b = 0; b < net.hidden_layers(); ++b) {
    const View<const float> h = runner_.forward(net, b, in, slot(b));
    touched_.passes += 2 * x.rows();
    find_signals(b, Activation::identity, h);
    runner_.backward(net, b, in, slot(b), delta_, gradient);
    add_block_decay(net, b, decay_, gradient);
    in = normalised(h, b);
  }
}

void ModelForwardForward::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) {
  runner_.begin_answer(first_sample);
  for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
  if (!by_goodness_) {
    neutral_pass(net, x);
    return add_rows(logits_, out);
  }
  for (Index c = 0; c < classes_; ++c) {
    show(x, c);
    normalise_rows(raw_, start_);
    View<const float> in = start_;
    for (Index b = 0; b < net.hidden_layers(); ++b) {
      const View<const float> h = runner_.forward(net, b, in, slot(b));
      for (Index r = 0; b >= first_ && r < x.rows(); ++r) out(r, c) += static_cast<float>(goodness(b, h.row(r)));
      in = normalised(h, b);
    }
  }
}

}  // namespace

std::unique_ptr<Rule> model_ff(RuleInfo info, const RuleContext& context) {
  return std::make_unique<ModelForwardForward>(std::move(info), context);
}

}  // namespace lightloop
