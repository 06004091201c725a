// Forward-Forward: every layer learns to be active for data with their right label and quiet for data with a wrong one.
#include <algorithm>

#include "training/rules/goodness_pairs.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_view.hpp"
#include "training/rules/layer_inputs.hpp"

namespace lightloop {
namespace {

class ForwardForward : public GoodnessPairs {
 public:
  ForwardForward(RuleInfo info, const RuleContext& context);
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override;
  Index answer_passes(const Network& net) const override {
    return by_goodness_ ? classes_ * net.hidden_layers() : net.layers();
  }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = ((recomputes_ ? 4 : 3) * net.hidden_layers() + 1) * samples};
  }
  LayerTouch layer_touch(const Network&, Index samples) const override {  // hidden layers; the output sees one
    return {.vectors = (recomputes_ ? 4 : 3) * samples};
  }
  LayerTouch answer_touch(const Network&) const override { return {.vectors = by_goodness_ ? classes_ : 1}; }

 private:
  const Matrix<float>& neutral_layer(const Network& net, Index layer);
  void neutral_pass(const Network& net, View<const float> x);
  void teach_head(const Network& net, const RuleBatch& batch, std::span<float> gradient);

  bool recomputes_;
  LayerProducts* products_;
  LayerInputs inputs_;                  ///< place 0: of hidden layers in turn, 1: of the output layer
  std::vector<Matrix<float>> neutral_;  ///< normalised activities without a label; two that alternate if recomputes_
  Matrix<float> start_, normal_, h_;
};

float middle_of(Activation f) { return f == Activation::tanh || f == Activation::sigmoid ? 0.5f : 1.0f; }

ForwardForward::ForwardForward(RuleInfo info, const RuleContext& context)
    : GoodnessPairs(std::move(info), context, middle_of(context.net.hidden_activation())),
      recomputes_(recomputes("ff", context)),
      products_(context.layers),
      inputs_(context.map, 2) {
  const Network& net = context.net;
  for (Index l = first_; l + 1 < net.hidden_layers(); ++l)
    heads_.add(classes_, net.widths()[static_cast<std::size_t>(l) + 1]);
  heads_.initialise(context.seed);
  for (Index l = 0; l < net.hidden_layers(); ++l) add_layer(net.widths()[static_cast<std::size_t>(l) + 1]);
  neutral_.resize(static_cast<std::size_t>(recomputes_ ? 2 : net.hidden_layers()));
}

/// Normalised activities of a hidden layer from those of the layer below.
const Matrix<float>& ForwardForward::neutral_layer(const Network& net, Index layer) {
  const auto place = [this](Index l) { return static_cast<std::size_t>(recomputes_ ? l % 2 : l); };
  layer_forward(net, layer, inputs_.see(layer, layer == 0 ? start_ : neutral_[place(layer - 1)], 0), h_, products_);
  normalise_rows(h_, neutral_[place(layer)]);
  return neutral_[place(layer)];
}

/// Logits of the head, from activities that have seen no label: those of the lower layers come first.
void ForwardForward::neutral_pass(const Network& net, View<const float> x) {
  show_neutral(x);
  normalise_rows(raw_, start_);
  const Index hidden = net.hidden_layers();
  for (Index l = 0; l < hidden; ++l) {
    const Matrix<float>& h = neutral_layer(net, l);
    const bool last = l + 1 == hidden;
    if (!last && l < first_) continue;
    Matrix<float>& to = l <= first_ ? logits_ : part_;
    if (last)
      layer_forward(net, hidden, inputs_.see(hidden, h, 1), to, products_);
    else
      dense(Activation::identity, heads_.weights(l - first_), heads_.bias(l - first_), h, to);
    if (l > first_) add_rows(part_, logits_);
  }
  touched_.passes += (hidden + 1) * x.rows();
}

void ForwardForward::teach_head(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = logits_.rows(), hidden = net.hidden_layers();
  find_error(batch);
  for (Index l = 0; l < hidden; ++l) {
    const Matrix<float>& h = recomputes_ ? neutral_layer(net, l) : neutral_[static_cast<std::size_t>(l)];
    if (l + 1 == hidden) {
      layer_gradient(net, hidden, error_, inputs_.seen(h, 1), samples, gradient);
      add_decay(net, hidden, head_rate_ * head_decay_, gradient);
    } else if (l >= first_) {
      const View<float> g = heads_.weight_gradient(l - first_), w = heads_.weights(l - first_);
      dense_gradient(error_, h, samples, g, heads_.bias_gradient(l - first_));
      for (Index j = 0; j < g.size(); ++j) g.data()[j] += head_rate_ * head_decay_ * w.data()[j];
    }
  }
  if (recomputes_) touched_.passes += hidden * samples;
}

void ForwardForward::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
  begin(samples, static_cast<std::size_t>(net.layers()));
  neutral_pass(net, batch.activations.h[0]);
  make_pairs(batch);
  teach_head(net, batch, gradient);
  normalise_rows(pairs_, normal_);
  for (Index l = 0; l < hidden; ++l) {
    layer_forward(net, l, inputs_.see(l, normal_, 0), h_, products_);
    touched_.passes += 2 * samples;
    find_signals(l, net.activation(l), h_);
    layer_gradient(net, l, delta_, inputs_.seen(normal_, 0), samples, gradient);
    add_decay(net, l, decay_, gradient);
    normalise_rows(h_, normal_);
  }
}

void ForwardForward::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t) {
  if (!by_goodness_) {
    neutral_pass(net, x);
    for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(std::as_const(logits_).row(r), out.row(r).begin());
    return;
  }
  for (Index c = 0; c < classes_; ++c) {
    show(x, c);
    normalise_rows(raw_, normal_);
    for (Index r = 0; r < x.rows(); ++r) out(r, c) = 0;
    for (Index l = 0; l < net.hidden_layers(); ++l) {
      layer_forward(net, l, inputs_.see(l, normal_, 0), h_, products_);
      if (l >= first_)
        for (Index r = 0; r < x.rows(); ++r) out(r, c) += static_cast<float>(goodness(l, h_.row(r)));
      normalise_rows(h_, normal_);
    }
  }
}

}  // namespace

RuleModel ff_rule() {
  const RuleInfo info{
      .name = "ff",
      .summary = "Forward-Forward: layers are active for right labels and quiet for wrong ones; no error goes back",
      .equation =
          "G_l = |h_l|^2, p = sigmoid((G_l - threshold d_l) / T); dW_l ~ -((1 - p) h_l f') x_l^T for the right "
          "label, p h_l f' x_l^T for a wrong one; x_{l+1} = h_l / rms(h_l); output: softmax on these. In nets of any "
          "layers a channel is a unit, its square in G_b the mean over its places",
      .needs = Needs::two_phases,
      .cost = "three passes of every hidden layer (right, wrong, no label); one pass per class to answer by goodness",
      .source = "Hinton, arXiv 2212.13345, sections 2, 3.2 and 3.3; peer term and rates as in its published program",
      .params =
          {{"answer",
            "",
            std::string("softmax"),
            0,
            0,
            "by the softmax output in one pass, or by the goodness of every label (a pass each); the first of several "
            "hidden layers is left out of both",
            {"softmax", "goodness"}},
           {"negatives",
            "",
            std::string("hard"),
            0,
            0,
            "wrong data: labels drawn from what the softmax output finds likely, or all alike; or, without any label, "
            "patchworks of two images",
            {"hard", "uniform", "hybrid"}},
           {"blurs", "1", std::int64_t{6}, 0, 1000,
            "how often random bits are blurred into the mask of a patchwork (hybrid); published: repeatedly, assumed "
            "6"},
           {"label_strength", "1", 1.0, 1e-3, 1e3, "value of the features that stand for the label"},
           label_features_param(),
           {"threshold", "1", 0.0, 0, 1e3,
            "goodness per unit that is neither right nor wrong; 0: 1, or 0.5 in a fully connected net whose "
            "activities end at 1 (tanh, sigmoid)"},
           {"temperature", "1", 1.0, 1e-3, 1e6, "T, width of the step from wrong to right"},
           {"peer", "1", 0.03, 0, 10, "pull of the mean activity of a layer on each of its units"},
           {"weight_decay", "1", 0.002, 0, 1, "of the hidden layers"},
           {"head_decay", "1", 0.003, 0, 1, "weight decay of the softmax output"},
           {"recompute", "", false, 0, 0,
            "make the pass without a label twice, so that two layers' activities of it are held instead of all (in a "
            "net of any layers they are anyway); the same bits"},
           {"head_rate", "1", 10.0, 1e-6, 1e6,
            "factor on the gradient of the softmax output: with sgd and momentum its rate as a multiple of train.lr; "
            "adam takes factors out"},
           pool_param()},
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .in_features = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_ff(info, context);
            return std::make_unique<ForwardForward>(info, context);
          }};
}

}  // namespace lightloop
