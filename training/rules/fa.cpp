// Feedback alignment: back-propagation with fixed random matrices in place of the transposed weights.
#include <cmath>

#include "core/random.hpp"
#include "training/rules/chain.hpp"

namespace lightloop {
namespace {

/// Matrices with the law of the initial weights, N(0, gain/fan_in), each from an instance of its own.
std::shared_ptr<ReturnPath> fixed_path(const Network& net, std::uint64_t seed, float scale) {
  auto path = std::make_shared<ReturnPath>(net);
  for (std::size_t k = 0; k < path->places().size(); ++k) {
    const View<float> b = path->matrix(k);
    const auto& [number, layer, weights] = path->places()[k];
    const Stream stream(seed, number, Purpose::feedback_matrix);
    const auto gain = static_cast<float>(std::sqrt(weights.gain));
    for (Index r = 0; r < b.rows(); ++r) {
      stream.normal(static_cast<std::uint64_t>(r), 0, b.row(r));
      for (float& v : b.row(r)) v *= gain * scale / std::sqrt(static_cast<float>(b.cols()));
    }
  }
  return path;
}

}  // namespace

RuleModel fa_rule() {
  const RuleInfo info{
      .name = "fa",
      .summary = "feedback alignment: a fixed random matrix per layer or kernel in place of the transposed weights",
      .equation = "delta_L = e; delta_l = (B_{l+1} delta_{l+1}) * f'(a_l), B_l fixed with the law of the initial W_l^T",
      .needs = Needs::nothing,
      .cost = "none: runs on the host",
      .source = "Lillicrap, Cownden, Tweed, Akerman, Nat. Commun. 7, 13276 (2016)",
      .params = {{"scale", "1", 1.0, 1e-6, 1e6,
                  "factor on the feedback matrices; 1 gives them the law of the weights"}},
      .masks = true,
      .by_error = true,
      .maps = true,
      .crosses_maps = true};
  return {info, [info](const RuleContext& context) {
            return chain_rule(info,
                              fixed_path(context.net, context.seed, static_cast<float>(context.params.real("scale"))));
          }};
}

}  // namespace lightloop
