// Scalable Forward-Forward: goodness of every class from one pass, by an auxiliary map per block; back-propagation
// inside a block only.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
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
  void scores(const Network& net, View<const float> x, View<float> out) override;
  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }

 private:
  Index blocks() const { return goodness_.layers(); }
  Index begin_of(Index block) const { return block * per_block_; }
  Index end_of(const Network& net, Index block) const {
    return std::min((block + 1) * per_block_, net.hidden_layers());
  }
  View<const float> run_block(const Network& net, Index block, View<const float> in);
  void find_goodness(Index block, View<const float> h);
  double margin_loss(std::span<const std::uint8_t> labels);

  Index per_block_, units_, classes_;
  float margin_;
  Answer answer_;
  OwnLayers goodness_;            ///< (classes * units, width) per block
  std::vector<Matrix<float>> h_;  ///< activities inside the block at work
  Matrix<float> input_, z_, goodness_of_, delta_, below_, logits_, error_;
};

ScalableFf::ScalableFf(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      per_block_(context.params.integer("block")),
      units_(context.params.integer("units")),
      classes_(context.net.widths().back()),
      margin_(static_cast<float>(context.params.real("margin"))),
      answer_(context.params.text("answer") == "mean"   ? Answer::mean
              : context.params.text("answer") == "last" ? Answer::last
                                                        : Answer::softmax) {
  const Network& net = context.net;
  if (net.hidden_layers() == 0)
    throw Unsupported("rule sff on net " + to_string(net.widths()), "it teaches hidden layers", "", "add one");
  for (Index first = 0; first < net.hidden_layers(); first += per_block_)
    goodness_.add(classes_ * units_,
                  net.widths()[static_cast<std::size_t>(std::min(first + per_block_, net.hidden_layers()))]);
  goodness_.initialise(context.seed);
  h_.resize(static_cast<std::size_t>(std::min(per_block_, net.hidden_layers())));
}

/// Activities of the block's layers into h_; returns those of the last.
View<const float> ScalableFf::run_block(const Network& net, Index block, View<const float> in) {
  const Index first = begin_of(block), last = end_of(net, block);
  for (Index l = first; l < last; ++l) {
    Matrix<float>& h = h_[static_cast<std::size_t>(l - first)];
    layer_forward(net, l, in, h);
    in = h;
  }
  touched_.passes += (last - first) * in.rows();
  return in;
}

/// g_c = mean over the class's units of z^2, z = A h + b.
void ScalableFf::find_goodness(Index block, View<const float> h) {
  dense(Activation::identity, goodness_.weights(block), goodness_.bias(block), h, z_);
  goodness_of_.resize(h.rows(), classes_);
  for (Index r = 0; r < h.rows(); ++r)
    for (Index c = 0; c < classes_; ++c) {
      const auto z =
          std::as_const(z_).row(r).subspan(static_cast<std::size_t>(c * units_), static_cast<std::size_t>(units_));
      goodness_of_(r, c) = static_cast<float>(dot(z, z) / static_cast<double>(units_));
    }
}

/// log(1 + sum over wrong c of exp(g_c - g_y + margin)), summed; z_ becomes its derivative with respect to z.
double ScalableFf::margin_loss(std::span<const std::uint8_t> labels) {
  double total = 0;
  for (Index r = 0; r < z_.rows(); ++r) {
    const auto g = goodness_of_.row(r);
    const auto right = static_cast<std::size_t>(labels[static_cast<std::size_t>(r)]);
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
      const auto factor = static_cast<float>(2 * slope / static_cast<double>(units_));
      for (Index j = 0; j < units_; ++j) z_(r, static_cast<Index>(c) * units_ + j) *= factor;
    }
  }
  return total;
}

void ScalableFf::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
  begin(samples, static_cast<std::size_t>(blocks()) + 1);
  View<const float> in = batch.activations.h[0];
  for (Index b = 0; b < blocks(); ++b) {
    const View<const float> h = run_block(net, b, in);
    find_goodness(b, h);
    const double loss = margin_loss(batch.labels);
    layer_loss_[static_cast<std::size_t>(b)] = loss / static_cast<double>(samples);
    loss_ += loss;
    dense_gradient(z_, h, samples, goodness_.weight_gradient(b), goodness_.bias_gradient(b));
    back_through(z_, goodness_.weights(b), delta_);
    const Index first = begin_of(b);
    for (Index l = end_of(net, b) - 1; l >= first; --l) {
      const auto i = static_cast<std::size_t>(l - first);
      times_derivative(net.activation(l), h_[i], delta_);
      layer_gradient(net, l, delta_, l == first ? in : h_[i - 1].view(), samples, gradient);
      if (l == first) break;
      back_through(delta_, net.weights(l), below_);
      delta_.swap(below_);
    }
    normalise_rows(h, input_);
    in = input_;
  }
  layer_forward(net, hidden, in, logits_);
  touched_.passes += samples;
  error_.resize(samples, classes_);
  const double loss = output_error(Loss::cross_entropy, logits_, batch.labels, error_);
  loss_ += loss;
  layer_loss_.back() = loss / static_cast<double>(samples);
  layer_gradient(net, hidden, error_, in, samples, gradient);
}

void ScalableFf::scores(const Network& net, View<const float> x, View<float> out) {
  for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
  View<const float> in = x;
  for (Index b = 0; b < blocks(); ++b) {
    const View<const float> h = run_block(net, b, in);
    if (answer_ == Answer::mean || (answer_ == Answer::last && b + 1 == blocks())) {
      find_goodness(b, h);
      add_rows(goodness_of_, out);
    }
    normalise_rows(h, input_);
    in = input_;
  }
  if (answer_ != Answer::softmax) return;
  layer_forward(net, net.hidden_layers(), in, logits_);
  add_rows(logits_, out);
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
                  "hidden layers per block; more is the hybrid with "
                  "back-propagation"},
                 {"units", "1", std::int64_t{8}, 1, 1e6,
                  "outputs of the auxiliary map per class (assumed; in a "
                  "convolution the pixels of a channel)"},
                 {"margin", "1", 1.0, -1e3, 1e3, "by how much the right class must win (assumed)"},
                 {"answer",
                  "",
                  std::string("mean"),
                  0,
                  0,
                  "goodness averaged over the blocks, that of the last block, or the softmax output",
                  {"mean", "last", "softmax"}}},
      .own_forward = true,
      .own_answer = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<ScalableFf>(info, context); }};
}

}  // namespace lightloop
