// Scalable Forward-Forward: goodness of every class from one pass, by an auxiliary map per block; back-propagation
// inside a block only.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_view.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

enum class Answer { mean, last, softmax };

class ScalableFf : public WholeBatch {
 public:
  ScalableFf(RuleInfo info, const RuleContext& context);
  Trainable own() override { return goodness_.trainable(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override;
  std::span<const float> learned_state() const override { return runner_.state(); }
  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }
  Index answer_passes(const Network& net) const override {
    return answer_ == Answer::softmax ? net.layers() : net.hidden_layers();
  }

 private:
  Index blocks() const { return goodness_.layers(); }
  Index begin_of(Index block) const { return block * per_block_; }
  Index end_of(const Network& net, Index block) const {
    return std::min((block + 1) * per_block_, net.hidden_layers());
  }
  View<const float> run_block(const Network& net, Index block, View<const float> in);
  View<const float> find_goodness(Index block, View<const float> h);
  void teach_block(const Network& net, Index block, View<const float> in, View<const float> h,
                   std::span<float> gradient);
  double margin_loss(const Targets& targets);
  View<const float> normalised(View<const float> h);

  Index per_block_, units_, tokens_, classes_;
  float margin_;
  Answer answer_;
  OwnLayers goodness_;           ///< (classes * units, width or channels) per block
  bool pixels_;                  ///< the map is a 1 x 1 convolution where there are places to apply it
  std::vector<HeadView> views_;  ///< what the map sees otherwise
  std::vector<Index> units_at_;  ///< outputs of the map per class, at each of the places where it is applied
  BlockRunner runner_;           ///< a slot for each of the net's blocks inside the block at work
  Matrix<float> input_, z_, goodness_of_, delta_, below_, error_;
};

ScalableFf::ScalableFf(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      per_block_(context.params.integer("block")),
      units_(context.params.integer("units")),
      tokens_(context.net.tokens()),
      classes_(context.net.classes()),
      margin_(static_cast<float>(context.params.real("margin"))),
      answer_(context.params.text("answer") == "mean"   ? Answer::mean
              : context.params.text("answer") == "last" ? Answer::last
                                                        : Answer::softmax),
      pixels_(context.params.text("map") == "pixels"),
      runner_(context.seed,
              static_cast<std::size_t>(std::max<Index>(1, std::min(per_block_, context.net.hidden_layers()))),
              context.layers, context.map) {
  const Network& net = context.net;
  if (has_physics_between(context) && per_block_ > 1)
    throw Unsupported("rule.block = " + std::to_string(per_block_) + " behind physics",
                      "a block learns by back-propagation, and the derivative of the physics inside it is unknown", "",
                      "Leave rule.block at 1.");
  if (net.hidden_layers() == 0)
    throw Unsupported("rule sff on net " + net.text(), "it teaches hidden layers", "", "add one");
  const auto work = std::make_shared<HeadView::Work>();
  for (Index first = 0; first < net.hidden_layers(); first += per_block_) {
    const Shape shape = block_shape(net, std::min(first + per_block_, net.hidden_layers()) - 1);
    const bool places = pixels_ && shape.size() > 1 && tokens_ == 1;  // they are the units of a class
    views_.emplace_back(places ? Shape{elements(shape)} : shape, context.params.integer("pool"), tokens_, work);
    units_at_.push_back(places ? 1 : units_);
    goodness_.add(classes_ * units_at_.back(), places ? shape.back() : views_.back().width());
  }
  goodness_.initialise(context.seed);
}

/// Runs the block's layers; returns the activities of the last.
View<const float> ScalableFf::run_block(const Network& net, Index block, View<const float> in) {
  const Index first = begin_of(block), last = end_of(net, block);
  for (Index b = first; b < last; ++b) in = runner_.forward(net, b, in, static_cast<std::size_t>(b - first));
  touched_.passes += (last - first) * in.rows();
  return in;
}

/// g_c = mean over the class's units (and places) of z^2, z = A h + b. Returns what A sees of the block.
View<const float> ScalableFf::find_goodness(Index block, View<const float> whole) {
  const View<const float> h = views_[static_cast<std::size_t>(block)].see(whole);
  const View<const float> map = goodness_.weights(block);
  const Index places = h.cols() / map.cols(), units = units_at_[static_cast<std::size_t>(block)];
  dense(Activation::identity, map, goodness_.bias(block), View<const float>(h.data(), h.rows() * places, map.cols()),
        z_);
  goodness_of_.resize(h.rows(), classes_);
  for (Index r = 0; r < h.rows(); ++r)
    for (Index c = 0; c < classes_; ++c) {
      double sum = 0;
      for (Index p = r * places; p < (r + 1) * places; ++p) {
        const auto z =
            std::as_const(z_).row(p).subspan(static_cast<std::size_t>(c * units), static_cast<std::size_t>(units));
        sum += dot(z, z);
      }
      goodness_of_(r, c) = static_cast<float>(sum / static_cast<double>(units * places));
    }
  return h;
}

/// log(1 + sum over wrong c of exp(g_c - g_y + margin)), summed; z_ becomes its derivative with respect to z.
double ScalableFf::margin_loss(const Targets& targets) {
  const Index samples = goodness_of_.rows(), places = z_.rows() / samples, units = z_.cols() / classes_;
  double total = 0;
  for (Index r = 0; r < samples; ++r) {
    const auto g = goodness_of_.row(r);
    const auto row = static_cast<std::size_t>(r);
    if (!targets.counts.empty() && targets.counts[row] == 0) {
      for (Index p = r * places; p < (r + 1) * places; ++p) std::ranges::fill(z_.row(p), 0.0f);
      continue;
    }
    const auto right = static_cast<std::size_t>(targets.labels[row]);
    const double base = static_cast<double>(g[right] - margin_);
    double top = 0, sum = 0;  // the 1 inside the logarithm is exp(0)
    for (std::size_t c = 0; c < g.size(); ++c)
      if (c != right) top = std::max(top, static_cast<double>(g[c]) - base);
    for (std::size_t c = 0; c < g.size(); ++c)
      if (c != right) sum += std::exp(static_cast<double>(g[c]) - base - top);
    const double all = sum + std::exp(-top);
    total += top + std::log(all);
    for (std::size_t c = 0; c < g.size(); ++c) {
      const double slope = c == right ? -sum / all : std::exp(static_cast<double>(g[c]) - base - top) / all;
      const auto factor = static_cast<float>(2 * slope / static_cast<double>(units * places));
      for (Index p = r * places; p < (r + 1) * places; ++p)
        for (Index j = 0; j < units; ++j) z_(p, static_cast<Index>(c) * units + j) *= factor;
    }
  }
  return total;
}

/// What the next block sees: the answer for a token depends on the tokens that it hears alone, so each is normalised
/// for itself.
View<const float> ScalableFf::normalised(View<const float> h) {
  normalise_rows({h.data(), h.rows() * tokens_, h.cols() / tokens_}, input_);
  input_.resize(h.rows(), h.cols());
  return input_;
}

/// From z_'s derivative down to the block's first layer. `in` is what the block saw, h what it gave out.
void ScalableFf::teach_block(const Network& net, Index block, View<const float> in, View<const float> h,
                             std::span<float> gradient) {
  const Index first = begin_of(block), samples = in.rows(), places = z_.rows() / samples;
  back_through(z_, goodness_.weights(block), delta_);
  delta_.resize(samples, places * delta_.cols());
  views_[static_cast<std::size_t>(block)].back(h, delta_);
  for (Index b = end_of(net, block) - 1; b >= first; --b) {
    const auto slot = static_cast<std::size_t>(b - first);
    runner_.backward(net, b, b == first ? in : runner_.output(slot - 1), slot, delta_, gradient,
                     b == first ? nullptr : &below_);
    delta_.swap(below_);
  }
}

void ScalableFf::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.activations.h[0].rows(), hidden = net.hidden_layers();
  const Targets targets = batch.targets();
  const Index counted = targets.counted();
  begin(static_cast<Index>(batch.labels.size()), static_cast<std::size_t>(blocks()) + 1);
  runner_.begin_training(net, batch.first_sample, counted);
  View<const float> in = batch.activations.h[0];
  for (Index b = 0; b < blocks(); ++b) {
    const View<const float> h = run_block(net, b, in);
    const View<const float> seen = find_goodness(b, h);
    const double loss = margin_loss(targets);
    layer_loss_[static_cast<std::size_t>(b)] = loss / static_cast<double>(counted);
    loss_ += loss;
    const Index width = goodness_.weights(b).cols();
    dense_gradient(z_, View<const float>(seen.data(), z_.rows(), width), counted, goodness_.weight_gradient(b),
                   goodness_.bias_gradient(b));
    teach_block(net, b, in, h, gradient);
    in = normalised(h);
  }
  const View<const float> logits = runner_.forward(net, hidden, in, 0);
  touched_.passes += samples;
  error_.resize(samples, logits.cols());
  const double loss = answer_error(Loss::cross_entropy, logits, targets, error_);
  loss_ += loss;
  layer_loss_.back() = loss / static_cast<double>(counted);
  runner_.backward(net, hidden, in, 0, error_, gradient);
}

void ScalableFf::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) {
  for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
  runner_.begin_answer(first_sample);
  View<const float> in = x;
  for (Index b = 0; b < blocks(); ++b) {
    const View<const float> h = run_block(net, b, in);
    if (answer_ == Answer::mean || (answer_ == Answer::last && b + 1 == blocks())) {
      find_goodness(b, h);
      add_rows({goodness_of_.data(), out.rows(), out.cols()}, out);
    }
    in = normalised(h);
  }
  if (answer_ == Answer::softmax) add_rows(runner_.forward(net, net.hidden_layers(), in, 0), out);
}

}  // namespace

RuleModel sff_rule() {
  const RuleInfo info{
      .name = "sff",
      .summary = "Scalable Forward-Forward: goodness of all classes in one pass, back-propagation inside a block only",
      .equation =
          "z = A_b h_b; g_c = mean over class c's units of z^2; loss log(1 + sum_{c != y} exp(g_c - g_y + "
          "margin)); next block sees h_b / rms(h_b); output: softmax on the last",
      .needs = Needs::forward_only,
      .cost = "one forward pass; goodness on the host",
      .source = "Krutsylo, arXiv 2501.03176; the form of the loss is inferred from its description",
      .params = {{"block", "1", std::int64_t{1}, 1, 1e3,
                  "hidden layers (blocks of a net of any layers) per block; more is the hybrid with "
                  "back-propagation, not behind physics"},
                 {"units", "1", std::int64_t{8}, 1, 1e6, "outputs of the auxiliary map per class (assumed)"},
                 {"margin", "1", 1.0, -1e3, 1e3, "by how much the right class must win (assumed)"},
                 {"answer",
                  "",
                  std::string("mean"),
                  0,
                  0,
                  "goodness averaged over the blocks, that of the last block, or the softmax output",
                  {"mean", "last", "softmax"}},
                 {"map",
                  "",
                  std::string("dense"),
                  0,
                  0,
                  "where a block gives out images: a dense map of the pooled block, or, as published, a 1 x 1 "
                  "convolution with "
                  "one output per class, whose pixels are the units (weak on shallow nets)",
                  {"dense", "pixels"}},
                 pool_param()},
      .masks = true,
      .tokens = true,
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<ScalableFf>(info, context); }};
}

}  // namespace lightloop
