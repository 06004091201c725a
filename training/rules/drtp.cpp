// Direct random target projection: the target itself is projected, so hidden layers need not wait for the output.
#include <algorithm>

#include "training/rules/broadcast.hpp"

namespace lightloop {

RuleModel drtp_rule() {
  const RuleInfo info{
      .name = "drtp",
      .summary = "direct random target projection: the one-hot target teaches, before the output is known",
      .equation = "delta_l = (B_l y) * f'(a_l), y one-hot; delta_L = e",
      .needs = Needs::fixed_projection,
      .cost = "one binary frame per sample",
      .source = "Frenkel, Lefebvre, Bol, arXiv 1909.01311, algorithm 1",
      .params = broadcast_params(),
      .encoding = "threshold",
      .signed_signal = false,
      .any_layers = true,
      .masks = true,
      .maps = true};
  return {info, [info](const RuleContext& context) {
            return broadcast_rule(info, context, [](std::span<const float>, std::uint8_t label, std::span<float> s) {
              std::ranges::fill(s, 0.0f);
              s[label] = 1.0f;
              return true;
            });
          }};
}

}  // namespace lightloop
