// NoProp: a chain of blocks, each taught alone to tell the clean label from a noisy one and the sample; together they
// denoise.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/own_layers.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// The net is the last block; the rule owns the other blocks of the same shape, and what brings z into each.
class NoProp : public WholeBatch {
 public:
  NoProp(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        blocks_(context.params.integer("blocks")),
        classes_(context.net.widths().back()),
        square_(context.params.text("block_loss") == "square"),
        noise_(context.seed, 0, kRuleNoise) {
    const Network& net = context.net;
    for (Index t = 0; t < blocks_; ++t) own_.add(net.weights(0).rows(), classes_);  // U_t
    for (Index t = 0; t + 1 < blocks_; ++t)
      for (Index l = 0; l < net.layers(); ++l) own_.add(net.weights(l).rows(), net.weights(l).cols());
    own_.initialise(context.seed);
    h_.resize(static_cast<std::size_t>(net.layers()));
  }

  Trainable own() override { return own_.trainable(); }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    begin(x.rows(), static_cast<std::size_t>(blocks_));
    for (Index t = 0; t < blocks_; ++t) {
      draw_noisy_labels(batch, t);
      run_block(net, t, x);
      const double loss = block_error(batch.labels);
      layer_loss_[static_cast<std::size_t>(t)] = loss / static_cast<double>(x.rows());
      loss_ += loss / static_cast<double>(blocks_);
      teach_block(net, t, x, gradient);
    }
  }

  /// Denoises along the mean path, from z = 0; the logits of the last block answer.
  void scores(const Network& net, View<const float> x, View<float> out) override {
    z_.resize(x.rows(), classes_);
    std::ranges::fill(z_.flat(), 0.0f);
    for (Index t = 0; t < blocks_; ++t) {
      run_block(net, t, x);
      const Matrix<float>& logits = h_.back();
      if (t + 1 == blocks_) break;
      // mean of q(z_t | z_{t-1}, u): a u + b z
      const double before = signal(t), after = signal(t + 1), ratio = before / after;
      const auto a = static_cast<float>(std::sqrt(after) * (1 - ratio) / (1 - before)),
                 b = static_cast<float>(std::sqrt(ratio) * (1 - after) / (1 - before));
      softmax(logits, u_);
      for (Index i = 0; i < z_.size(); ++i) z_.data()[i] = a * u_.data()[i] + b * z_.data()[i];
    }
    for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(std::as_const(h_.back()).row(r), out.row(r).begin());
  }

  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = blocks_ * net.layers() * samples, .writes = (blocks_ - 1) * net.layers()};
  }

 private:
  /// Share of signal in z_t, from 0 at t = 0 to 1 at t = blocks: cosine schedule.
  double signal(Index t) const {
    const double s = std::sin(0.5 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(blocks_));
    return s * s;
  }

  /// z_{t-1} ~ N(sqrt(signal) one-hot(y), (1 - signal) I); block t counts from 0 here.
  void draw_noisy_labels(const RuleBatch& batch, Index t) {
    const auto samples = static_cast<Index>(batch.labels.size());
    z_.resize(samples, classes_);
    const double s = signal(t);
    const auto mean = static_cast<float>(std::sqrt(s)), spread = static_cast<float>(std::sqrt(1 - s));
    for (Index r = 0; r < samples; ++r) {
      const auto row = z_.row(r);
      noise_.normal(batch.first_sample + static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(t * classes_), row);
      for (float& v : row) v *= spread;
      row[batch.labels[static_cast<std::size_t>(r)]] += mean;
    }
  }

  bool last(Index t) const { return t + 1 == blocks_; }
  Index first_own(const Network& net, Index t) const { return blocks_ + t * net.layers(); }
  View<const float> weights(const Network& net, Index t, Index l) {
    return last(t) ? net.weights(l) : View<const float>(own_.weights(first_own(net, t) + l));
  }
  std::span<const float> bias(const Network& net, Index t, Index l) {
    return last(t) ? net.bias(l) : std::span<const float>(own_.bias(first_own(net, t) + l));
  }

  /// h_ from x and z_; the first layer sees both.
  void run_block(const Network& net, Index t, View<const float> x) {
    View<const float> in = x;
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l)];
      const View<const float> w = weights(net, t, l);
      h.resize(in.rows(), w.rows());
      gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, h);
      if (l == 0) gemm(Transpose::no, Transpose::yes, 1.0f, z_, own_.weights(t), 1.0f, h);
      const std::span<const float> b = bias(net, t, l);
      for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) bias_and_activate(net.activation(l), b, h.row(r));
      });
      in = h;
    }
    touched_.passes += net.layers() * x.rows();
    if (!last(t)) touched_.writes += net.layers();  // its update
  }

  static void softmax(const Matrix<float>& logits, Matrix<float>& out) {
    out.resize(logits.rows(), logits.cols());
    for (Index r = 0; r < out.rows(); ++r) {
      const auto from = logits.row(r);
      const float top = *std::ranges::max_element(from);
      double sum = 0;
      for (std::size_t c = 0; c < from.size(); ++c) {
        out.row(r)[c] = std::exp(from[c] - top);
        sum += static_cast<double>(out.row(r)[c]);
      }
      for (float& v : out.row(r)) v = static_cast<float>(static_cast<double>(v) / sum);
    }
  }

  /// error_ = derivative of the block's loss with respect to its logits; returns the summed loss.
  double block_error(std::span<const std::uint8_t> labels) {
    const Matrix<float>& logits = h_.back();
    error_.resize(logits.rows(), classes_);
    if (!square_) return output_error(Loss::cross_entropy, logits, labels, error_);
    softmax(logits, u_);  // u: the estimate of the clean label; loss = |u - one-hot|^2 / 2
    double total = 0;
    for (Index r = 0; r < u_.rows(); ++r) {
      const auto u = std::as_const(u_).row(r);
      double inner = 0;
      for (Index c = 0; c < classes_; ++c) {
        const double wrong = static_cast<double>(u_(r, c)) - (labels[static_cast<std::size_t>(r)] == c ? 1 : 0);
        total += 0.5 * wrong * wrong;
        error_(r, c) = static_cast<float>(wrong);
      }
      inner = dot(std::as_const(error_).row(r), u);
      for (Index c = 0; c < classes_; ++c)
        error_(r, c) = static_cast<float>(static_cast<double>(u_(r, c)) * (static_cast<double>(error_(r, c)) - inner));
    }
    return total;
  }

  /// Back-propagation inside block t.
  void teach_block(const Network& net, Index t, View<const float> x, std::span<float> gradient) {
    const Index samples = x.rows();
    for (Index l = net.layers() - 1; l >= 0; --l) {
      const View<const float> input = l == 0 ? x : std::as_const(h_[static_cast<std::size_t>(l) - 1]);
      const Index mine = first_own(net, t) + l;
      if (last(t))
        layer_gradient(net, l, error_, input, samples, gradient);
      else
        dense_gradient(error_, input, samples, own_.weight_gradient(mine), own_.bias_gradient(mine));
      if (l == 0) break;
      back_through(error_, weights(net, t, l), below_);
      times_derivative(net.activation(l - 1), input, below_);
      error_.swap(below_);
    }
    dense_gradient(error_, z_, samples, own_.weight_gradient(t), own_.bias_gradient(t));
    std::ranges::fill(own_.bias_gradient(t), 0.0f);  // the block has a bias already
  }

  Index blocks_, classes_;
  bool square_;
  Stream noise_;
  OwnLayers own_;
  std::vector<Matrix<float>> h_;
  Matrix<float> z_, u_, error_, below_;
};

}  // namespace

RuleModel noprop_rule() {
  const RuleInfo info{
      .name = "noprop",
      .summary = "NoProp: blocks of the net's shape, each taught alone to clean a noisy label; a chain of them answers",
      .equation =
          "z_{t-1} = sqrt(s) y + sqrt(1 - s) noise, s = sin^2(pi (t - 1) / (2 T)); loss_t of net_t(x, z_{t-1}) "
          "against y; answer: z_t = a softmax(net_t) + b z_{t-1} from z_0 = 0 (mean of the posterior)",
      .needs = Needs::forward_only,
      .cost = "T passes of a block, T writes of one",
      .source =
          "Li, Teh, Pascanu, arXiv 2503.24322 (discrete time, one-hot labels; the weights of the blocks' losses "
          "are left out, since blocks share no parameters)",
      .params = {{"blocks", "1", std::int64_t{10}, 1, 1000, "T; the net is the last of them"},
                 {"block_loss",
                  "",
                  std::string("cross_entropy"),
                  0,
                  0,
                  "of a block: cross-entropy, or the square |softmax - y|^2 / 2 of the paper",
                  {"cross_entropy", "square"}}},
      .own_forward = true,
      .own_answer = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<NoProp>(info, context); }};
}

}  // namespace lightloop
