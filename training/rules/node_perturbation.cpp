// Node perturbation of fully connected networks, and the record of the rule. Behind physics every pass is read anew,
// with the noise of its own frames.
#include <array>

#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/perturbed_passes.hpp"

namespace lightloop {
namespace {

class NodePerturbation : public PerturbedPasses {
 public:
  NodePerturbation(RuleInfo info, const RuleContext& context)
      : PerturbedPasses(std::move(info), context),
        products_(context.layers),
        inputs_(context.map, static_cast<std::size_t>(context.net.layers()) + 1),
        h_(static_cast<std::size_t>(recomputes_ ? 2 : context.net.layers())) {}

 protected:
  View<const float> clean_pass(const Network& net, Index l, View<const float> in) override {
    layer_forward(net, l, inputs_.see(l, in, static_cast<std::size_t>(l)), of_clean_pass(l), products_);
    return of_clean_pass(l);
  }
  View<const float> moved_pass(const Network& net, Index l, View<const float> in, const Matrix<float>* noise,
                               float sigma) override {
    const auto others = static_cast<std::size_t>(net.layers());  // place of inputs that nothing learns from
    Matrix<float>& h = moved_[static_cast<std::size_t>(l % 2)];
    layer_product(net, l, inputs_.see(l, in, others), h, products_);
    for_rows(h.rows(), h.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r) {
        if (noise) {
          float* const a = h.row(r).data();
          const float* const xi = noise->row(r).data();
          for (Index j = 0; j < h.cols(); ++j) a[j] += sigma * xi[j];
        }
        bias_and_activate(net.activation(l), net.bias(l), h.row(r));
      }
    });
    return h;
  }
  View<const float> learn(const Network& net, Index l, View<const float> in, Matrix<float>& delta,
                          std::span<float> gradient) override {
    layer_gradient(net, l, delta, inputs_.seen(in, static_cast<std::size_t>(l)), in.rows(), gradient);
    if (recomputes_ && l < net.hidden_layers()) clean_pass(net, l, in);
    return of_clean_pass(l);
  }

 private:
  /// Where the pass without noise leaves what comes out of layer l: every second layer takes the same place when it is
  /// made again for the gradient.
  Matrix<float>& of_clean_pass(Index l) { return h_[static_cast<std::size_t>(recomputes_ ? l % 2 : l)]; }

  LayerProducts* products_;
  LayerInputs inputs_;  ///< of the pass without noise, layer by layer, then of the others
  std::vector<Matrix<float>> h_;
  std::array<Matrix<float>, 2> moved_;
};

}  // namespace

RuleModel node_perturbation_rule() {
  const RuleInfo info{
      .name = "node_perturbation",
      .summary = "noise on the units' inputs, scored by the change of each sample's loss",
      .equation =
          "delta_l = mean over k of [L(a + sigma xi_k) - L(a)] / sigma xi_{k,l}, xi ~ N(0, 1) on all layers at "
          "once; two_sided: [L(a + sigma xi) - L(a - sigma xi)] / (2 sigma); delta_L = e. In nets of any layers xi "
          "lies "
          "on what blocks give out, and delta goes back inside each block",
      .needs = Needs::forward_only,
      .cost = "1 + k forward passes (two_sided: 2 k beside the first)",
      .source = "Werfel, Xie, Seung, Neural Comput. 17, 2699 (2005), section 2.2",
      .params = {{"directions", "1", std::int64_t{1}, 1, 1e6, "k, noises averaged per sample"},
                 {"sigma", "1", 0.01, 1e-6, 10, "size of the noise (assumed: the slope is then all that shows)"},
                 {"two_sided", "", false, 0, 0, "noise forth and back"},
                 {"exact_output", "", true, 0, 0, "the output layer learns from its error, which is known"},
                 {"recompute", "", false, 0, 0,
                  "make the pass without noise again for the gradient: two layers' activities are held instead of "
                  "all; the same bits"}},
      .by_error = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            if (context.net.model()) return model_node_perturbation(info, context);
            return std::make_unique<NodePerturbation>(info, context);
          }};
}

}  // namespace lightloop
