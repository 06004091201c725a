// Forward-Forward: every layer learns to be active for data with their right label and quiet for data with a wrong one.
#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

double log_one_plus_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

float threshold_for(const RuleContext& context) {
  const auto asked = static_cast<float>(context.params.real("threshold"));
  const Activation f = context.net.hidden_activation();
  const bool bounded = f == Activation::tanh || f == Activation::sigmoid;
  return asked > 0 ? asked : bounded ? 0.5f : 1.0f;
}

class ForwardForward : public WholeBatch {
 public:
  ForwardForward(RuleInfo info, const RuleContext& context);
  Trainable own() override { return heads_.trainable(); }
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
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;

 private:
  const Matrix<float>& neutral_layer(const Network& net, Index layer);
  void neutral_pass(const Network& net, View<const float> x);
  void teach_head(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void make_pairs(const RuleBatch& batch);
  double teach_layer(const Network& net, Index layer, Index samples);
  void add_peer_term(Index layer, Index samples);

  float strength_, temperature_, threshold_, peer_, decay_, head_decay_, head_rate_;
  bool hard_, by_goodness_, recomputes_;
  Index classes_, first_;  ///< first_: lowest hidden layer that answers
  LayerProducts* products_;
  LayerInputs inputs_;  ///< place 0: of hidden layers in turn, 1: of the output layer
  Stream negative_;
  OwnLayers heads_;                     ///< of the answering layers below the last hidden one
  std::vector<Matrix<float>> means_;    ///< running mean activity of each hidden layer
  std::vector<Matrix<float>> neutral_;  ///< normalised activities without a label; two that alternate if recomputes_
  Matrix<float> start_, raw_, pairs_, normal_, h_, delta_, logits_, part_, error_;
};

ForwardForward::ForwardForward(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      strength_(static_cast<float>(context.params.real("label_strength"))),
      temperature_(static_cast<float>(context.params.real("temperature"))),
      threshold_(threshold_for(context)),
      peer_(static_cast<float>(context.params.real("peer"))),
      decay_(static_cast<float>(context.params.real("weight_decay"))),
      head_decay_(static_cast<float>(context.params.real("head_decay"))),
      head_rate_(static_cast<float>(context.params.real("head_rate"))),
      hard_(context.params.text("negatives") == "hard"),
      by_goodness_(context.params.text("answer") == "goodness"),
      recomputes_(recomputes("ff", context)),
      classes_(context.net.widths().back()),
      first_(context.net.hidden_layers() > 1 ? 1 : 0),
      products_(context.layers),
      inputs_(context.map, 2),
      negative_(context.seed, 0, kRuleNegative) {
  const Network& net = context.net;
  check_overlay("ff", net);
  if (net.hidden_layers() == 0)
    throw Unsupported("rule ff on net " + to_string(net.widths()), "it teaches hidden layers", "", "add one");
  for (Index l = first_; l + 1 < net.hidden_layers(); ++l)
    heads_.add(classes_, net.widths()[static_cast<std::size_t>(l) + 1]);
  heads_.initialise(context.seed);
  for (Index l = 0; l < net.hidden_layers(); ++l) {
    means_.emplace_back(1, net.widths()[static_cast<std::size_t>(l) + 1]);
    std::ranges::fill(means_.back().flat(), 0.5f);  // as in the published program
  }
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
  raw_.resize(x.rows(), x.cols());
  for (Index r = 0; r < x.rows(); ++r) overlay_neutral(x.row(r), classes_, strength_, raw_.row(r));
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
  error_.resize(samples, classes_);
  const double loss = output_error(Loss::cross_entropy, logits_, batch.labels, error_);
  loss_ += loss;
  layer_loss_.back() = loss / static_cast<double>(samples);
  for (float& e : error_.flat()) e *= head_rate_;
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

/// Rows 0 to m - 1 carry the right label, rows m to 2 m - 1 a wrong one.
void ForwardForward::make_pairs(const RuleBatch& batch) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows();
  pairs_.resize(2 * samples, x.cols());
  for_rows(samples, 2 * x.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const std::uint8_t right = batch.labels[static_cast<std::size_t>(r)];
      const double u = negative_.uniform(batch.first_sample + static_cast<std::uint64_t>(r), 0);
      const std::span<const float> score = hard_ ? std::as_const(logits_).row(r) : std::span<const float>{};
      overlay(x.row(r), classes_, right, strength_, pairs_.row(r));
      overlay(x.row(r), classes_, wrong_label(score, classes_, right, u), strength_, pairs_.row(samples + r));
    }
  });
}

/// Signals of one layer from its activities h_; returns the summed cross-entropy of right against wrong.
double ForwardForward::teach_layer(const Network& net, Index layer, Index samples) {
  const Index width = h_.cols();
  const double theta = static_cast<double>(threshold_) * static_cast<double>(width);
  delta_.resize(2 * samples, width);
  part_.resize(1, 2 * samples);  // losses, summed in order afterwards
  for_rows(2 * samples, width, [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const auto h = h_.row(r);
      const double x = (dot(h, h) - theta) / static_cast<double>(temperature_);
      const bool right = r < samples;
      part_(0, r) = static_cast<float>(log_one_plus_exp(right ? -x : x));
      const double p = 1 / (1 + std::exp(-x));
      times_derivative(net.activation(layer), h, h, static_cast<float>(right ? p - 1 : p), delta_.row(r));
    }
  });
  double loss = 0;
  for (const float v : part_.flat()) loss += static_cast<double>(v);
  if (peer_ > 0) add_peer_term(layer, samples);
  return loss;
}

/// Pulls units that are less active than their peers up, on data with the right label; not through f', so that dead
/// units come back.
void ForwardForward::add_peer_term(Index layer, Index samples) {
  const auto mean = means_[static_cast<std::size_t>(layer)].flat();
  part_.resize(1, static_cast<Index>(mean.size()));
  const auto pull = part_.row(0);
  column_means(h_.view().rows(0, samples), pull);
  float all = 0;
  for (std::size_t j = 0; j < mean.size(); ++j) {
    mean[j] = 0.9f * mean[j] + 0.1f * pull[j];
    all += mean[j] / static_cast<float>(mean.size());
  }
  for (std::size_t j = 0; j < mean.size(); ++j) pull[j] = -peer_ * (all - mean[j]);
  for_rows(samples, delta_.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      float* const delta = delta_.row(r).data();
      for (std::size_t j = 0; j < pull.size(); ++j) delta[j] += pull[j];
    }
  });
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
    const double loss = teach_layer(net, l, samples);
    layer_loss_[static_cast<std::size_t>(l)] = loss / static_cast<double>(2 * samples);
    loss_ += loss;
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
  raw_.resize(x.rows(), x.cols());
  for (Index c = 0; c < classes_; ++c) {
    for (Index r = 0; r < x.rows(); ++r)
      overlay(x.row(r), classes_, static_cast<std::uint8_t>(c), strength_, raw_.row(r));
    normalise_rows(raw_, normal_);
    for (Index r = 0; r < x.rows(); ++r) out(r, c) = 0;
    for (Index l = 0; l < net.hidden_layers(); ++l) {
      layer_forward(net, l, inputs_.see(l, normal_, 0), h_, products_);
      if (l >= first_)
        for (Index r = 0; r < x.rows(); ++r) out(r, c) += static_cast<float>(dot(h_.row(r), h_.row(r)));
      normalise_rows(h_, normal_);
    }
  }
}

std::vector<std::byte> ForwardForward::snapshot() const {
  ByteWriter out;
  for (const Matrix<float>& mean : means_) out.put_all<float>(mean.flat());
  return out.take();
}

void ForwardForward::restore(const std::vector<std::byte>& state) {
  ByteReader in(state, "snapshot of rule ff");
  std::vector<Matrix<float>> means = means_;
  for (Matrix<float>& mean : means) in.get_all(mean.flat());
  in.done();
  means_ = std::move(means);
}

}  // namespace

RuleModel ff_rule() {
  const RuleInfo info{
      .name = "ff",
      .summary = "Forward-Forward: layers are active for right labels and quiet for wrong ones; no error goes back",
      .equation =
          "G_l = |h_l|^2, p = sigmoid((G_l - threshold d_l) / T); dW_l ~ -((1 - p) h_l f') x_l^T for the right "
          "label, p h_l f' x_l^T for a wrong one; x_{l+1} = h_l / rms(h_l); output: softmax on these",
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
            "wrong labels: drawn from what the softmax output finds likely, or all alike",
            {"hard", "uniform"}},
           {"label_strength", "1", 1.0, 1e-3, 1e3, "value of the feature that stands for the label"},
           {"threshold", "1", 0.0, 0, 1e3,
            "goodness per unit that is neither right nor wrong; 0: 1, or 0.5 where activities end at 1 (tanh, "
            "sigmoid)"},
           {"temperature", "1", 1.0, 1e-3, 1e6, "T, width of the step from wrong to right"},
           {"peer", "1", 0.03, 0, 10, "pull of the mean activity of a layer on each of its units"},
           {"weight_decay", "1", 0.002, 0, 1, "of the hidden layers"},
           {"head_decay", "1", 0.003, 0, 1, "weight decay of the softmax output"},
           {"recompute", "", false, 0, 0,
            "make the pass without a label twice, so that two layers' activities of it are held instead of all; the "
            "same bits"},
           {"head_rate", "1", 10.0, 1e-6, 1e6,
            "factor on the gradient of the softmax output: with sgd and momentum its rate as a multiple of train.lr; "
            "adam takes factors out"}},
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .in_features = true,
      .maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<ForwardForward>(info, context); }};
}

}  // namespace lightloop
