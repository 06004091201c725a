// Feedback alignment: back-propagation with fixed random matrices in place of the transposed weights.
#include <cmath>

#include "core/random.hpp"
#include "training/rules/chain.hpp"

namespace lightloop {
namespace {

/// One matrix of W_l's shape per layer above the first, with the law of the initial weights: N(0, 1/fan_in).
std::vector<Matrix<float>> feedback_matrices(const Network& net, std::uint64_t seed, float scale) {
  std::vector<Matrix<float>> matrices;
  for (Index l = 1; l < net.layers(); ++l) {
    const View<const float> w = net.weights(l);
    Matrix<float> b(w.rows(), w.cols());
    const Stream stream(seed, static_cast<std::uint64_t>(l), Purpose::feedback_matrix);
    for (Index r = 0; r < b.rows(); ++r) {
      stream.normal(static_cast<std::uint64_t>(r), 0, b.row(r));
      for (float& v : b.row(r)) v *= scale / std::sqrt(static_cast<float>(w.cols()));
    }
    matrices.push_back(std::move(b));
  }
  return matrices;
}

}  // namespace

RuleModel fa_rule() {
  const RuleInfo info{
      .name = "fa",
      .summary = "feedback alignment: a fixed random matrix per layer in place of the transposed weights",
      .equation = "delta_L = e; delta_l = (B_{l+1} delta_{l+1}) * f'(a_l), B_l fixed with the law of the initial W_l^T",
      .needs = Needs::nothing,
      .cost = "none: runs on the host",
      .source = "Lillicrap, Cownden, Tweed, Akerman, Nat. Commun. 7, 13276 (2016)",
      .params = {{"scale", "1", 1.0, 1e-6, 1e6,
                  "factor on the feedback matrices; 1 gives them the law of the weights"}},
      .by_error = true};
  return {info, [info](const RuleContext& context) {
            auto matrices = std::make_shared<const std::vector<Matrix<float>>>(
                feedback_matrices(context.net, context.seed, static_cast<float>(context.params.real("scale"))));
            return chain_rule(info, [matrices](const Network&, Index layer) {
              return (*matrices)[static_cast<std::size_t>(layer) - 1].view();
            });
          }};
}

}  // namespace lightloop
