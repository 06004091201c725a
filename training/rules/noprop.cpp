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
    for (Index t = 0; t < blocks_; ++t) own_.add(net.weights(0).rows(), classes_);  // U_t
    for (Index t = 0; t + 1 < blocks_; ++t)
      for (Index l = 0; l < net.layers(); ++l) own_.add(net.weights(l).rows(), net.weights(l).cols());
    own_.initialise(context.seed);
    h_.resize(static_cast<std::size_t>(net.layers()));
  }
  Trainable own() override { return own_.trainable(); }

 protected:
  /// h_ from x and z_; the first layer sees both.
  View<const float> run(const Network& net, Index t, View<const float> x) override {
    View<const float> in = x;
    if (products_) hold(net, t);
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& h = h_[static_cast<std::size_t>(l)];
      const View<const float> w = weights(net, t, l);
      const auto place = static_cast<std::size_t>(l);
      in = l == 0 && t > 0 ? inputs_.seen(in, place) : inputs_.see(l, in, place);
      h.resize(in.rows(), w.rows());
      if (products_)
        products_->multiply(l, in, h);
      else
        gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, h);
      if (l == 0) gemm(Transpose::no, Transpose::yes, 1.0f, z_, own_.weights(t), 1.0f, h);
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
    dense_gradient(error_, z_, samples, own_.weight_gradient(t), own_.bias_gradient(t));
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
          "~ N(0, I), "
          "+ sqrt(c) noise",
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
                  {"cross_entropy", "square"}},
                 {"path",
                  "",
                  std::string("mean"),
                  0,
                  0,
                  "how the chain answers: from z_0 = 0 along the mean, or as published from z_0 ~ N(0, I), each step "
                  "drawn",
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
