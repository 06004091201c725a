// NoProp on fully connected networks, and its record.
#include <algorithm>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/noprop_chain.hpp"
#include "training/rules/own_layers.hpp"

namespace lightloop {
namespace {

/// Of fully connected layers; the first sees x, or what physics in front of it makes of x, and z. Physics is asked for
/// that once, and by every block in front of its other layers.
class DenseNoProp : public NoProp {
 public:
  DenseNoProp(RuleInfo info, const RuleContext& context)
      : NoProp(std::move(info), context),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers())) {
    const Network& net = context.net;
    if (inputs_.physical()) shown_once_ = 1;
    if (products_) held_ = net;
    for (Index t = 0; t < blocks_; ++t) own_.add(net.weights(0).rows(), seen_width());  // U_t
    for (Index t = 0; t + 1 < blocks_; ++t)
      for (Index l = 0; l < net.layers(); ++l) own_.add(net.weights(l).rows(), net.weights(l).cols());
    own_.initialise(context.seed);
    h_.resize(static_cast<std::size_t>(net.layers()));
  }
  Trainable own() override { return own_.trainable(); }

 protected:
  /// h_ from x and seen(); the first layer sees both.
  View<const float> run(const Network& net, Index t, View<const float> x) override {
    View<const float> in = x;
    if (products_ && !one_block()) hold(net, t);
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l)];
      const View<const float> w = weights(net, t, l);
      const auto place = static_cast<std::size_t>(l);
      in = l == 0 && again_ ? inputs_.seen(in, place) : inputs_.see(l, in, place);
      h.resize(in.rows(), w.rows());
      if (products_)
        products_->multiply(l, in, h);
      else
        gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, h);
      if (l == 0) gemm(Transpose::no, Transpose::yes, 1.0f, seen(), own_.weights(t), 1.0f, h);
      const std::span<const float> b = bias(net, t, l);
      for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
        for (Index r = first; r < first + n; ++r) bias_and_activate(net.activation(l), b, h.row(r));
      });
      in = h;
    }
    return h_.back();
  }

  void teach(const Network& net, Index t, View<const float> x, std::span<float> gradient) override {
    const Index samples = x.rows();
    for (Index l = net.layers() - 1; l >= 0; --l) {
      const View<const float> below = l == 0 ? x : std::as_const(h_[static_cast<std::size_t>(l) - 1]);
      const View<const float> input = inputs_.seen(below, static_cast<std::size_t>(l));
      const Index mine = first_own(net, t) + l;
      if (last(t))
        layer_gradient(net, l, error_, input, samples, gradient);
      else
        dense_gradient(error_, input, samples, own_.weight_gradient(mine), own_.bias_gradient(mine));
      if (l == 0) break;
      back_through(error_, weights(net, t, l), below_);
      if (map_back_) (*map_back_)(l, below, below_, below_);
      times_derivative(net.activation(l - 1), below, below_);
      error_.swap(below_);
    }
    dense_gradient(error_, seen(), samples, own_.weight_gradient(t), own_.bias_gradient(t));
    std::ranges::fill(own_.bias_gradient(t), 0.0f);  // the block has a bias already
  }

 private:
  /// Writes block t to where products are made.
  void hold(const Network& net, Index t) {
    if (last(t)) return products_->hold(net);
    for (Index l = 0; l < net.layers(); ++l) {
      const View<const float> w = weights(net, t, l);
      std::copy_n(w.data(), w.size(), held_.weights(l).data());
    }
    products_->hold(held_);
  }
  Index first_own(const Network& net, Index t) const { return blocks_ + t * net.layers(); }
  View<const float> weights(const Network& net, Index t, Index l) {
    return last(t) ? net.weights(l) : View<const float>(own_.weights(first_own(net, t) + l));
  }
  std::span<const float> bias(const Network& net, Index t, Index l) {
    return last(t) ? net.bias(l) : std::span<const float>(own_.bias(first_own(net, t) + l));
  }

  LayerProducts* products_;
  LayerInputs inputs_;
  Network held_;  ///< with products elsewhere: the block that they hold
  OwnLayers own_;
  std::vector<Matrix<float>> h_;
  Matrix<float> below_;
};

}  // namespace

RuleModel noprop_rule() {
  const RuleInfo info{
      .name = "noprop",
      .summary = "NoProp: blocks of the net's shape, each taught alone to clean a noisy label; a chain of them answers",
      .equation =
          "z_{t-1} = sqrt(s) y + sqrt(1 - s) noise, s = sin^2(pi (t - 1) / (2 T)); loss_t of net_t(x, z_{t-1}) "
          "against y; answer: z_t = a softmax(net_t) + b z_{t-1} from z_0 = 0 (mean of the posterior), or sampled: z_0 "
          "~ N(0, I), + sqrt(c) noise. time = continuous: one net(x, z_t, t), t in [0, 1], s = sin^2(pi t / 2), loss "
          "times SNR'(t), SNR = s / (1 - s); answer: dz/dt = s' / (2 (1 - s)) (softmax(net) / sqrt(s) - z), then "
          "net(x, z_1, 1). time = flow: z_t = (1 - t) z_0 + t y, loss |net(x, z_t, t) - (y - z_0)|^2 / 2; answer: z_1 "
          "of dz/dt = net",
      .needs = Needs::forward_only,
      .cost =
          "T passes of a block, T writes of one; in continuous time and with flow one pass, and to answer one a step",
      .source =
          "Li, Teh, Pascanu, arXiv 2503.24322, NoProp-DT, -CT and -FM, one-hot labels; DT without the weights of the "
          "blocks' losses, since blocks share no parameters; CT with the cosine schedule, which is not learned",
      .params =
          {{"time",
            "",
            std::string("discrete"),
            0,
            0,
            "a chain of blocks; or one net that is told the time t, by diffusion or by flow matching",
            {"discrete", "continuous", "flow"}},
           {"blocks", "1", std::int64_t{10}, 1, 1000, "T; the net is the last of them (discrete)"},
           {"steps", "1", std::int64_t{20}, 1, 10000,
            "of the equation in t that answers (continuous, flow); assumed: labels need few"},
           {"solver",
            "",
            std::string("euler"),
            0,
            0,
            "of that equation: of first order, or midpoint with two passes a step, of second with flow; in continuous "
            "time t = 1 is singular and leaves it the smaller error alone",
            {"euler", "midpoint"}},
           {"weight_max", "1", 10.0, 1e-3, 1e12,
            "largest SNR'(t) (continuous), which the cosine schedule takes to infinity at t = 1 (assumed)"},
           {"block_loss",
            "",
            std::string("cross_entropy"),
            0,
            0,
            "of a block: cross-entropy, or the square |softmax - y|^2 / 2 of the paper (discrete, continuous)",
            {"cross_entropy", "square"}},
           {"path",
            "",
            std::string("mean"),
            0,
            0,
            "how the chain answers: from z_0 = 0 along the mean, or as published from z_0 ~ N(0, I), with time = "
            "discrete each step drawn",
            {"mean", "sampled"}}},
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .maps = true,
      .crosses_maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_noprop(info, context);
            return std::make_unique<DenseNoProp>(info, context);
          }};
}

}  // namespace lightloop
