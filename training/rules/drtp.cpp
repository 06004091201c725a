// Direct random target projection: the target itself is projected, so hidden layers need not wait for the output.
#include <algorithm>

#include "training/rules/broadcast.hpp"

namespace lightloop {

RuleModel drtp_rule() {
  std::vector<ParamInfo> params = broadcast_params();
  params.push_back({"refresh", "1", std::int64_t{0}, 0, 1e6,
                    "epochs after which a device shows its columns again, to follow its drift; 0: never"});
  const RuleInfo info{
      .name = "drtp",
      .summary = "direct random target projection: the one-hot target teaches, before the output is known",
      .equation = "delta_l = (B_l y) * f'(a_l), y one-hot; delta_L = e",
      .needs = Needs::fixed_projection,
      .cost = "one binary frame per class, shown 8 times before the first step; none in a step",
      .source = "Frenkel, Lefebvre, Bol, arXiv 1909.01311, algorithm 1",
      .params = std::move(params),
      .encoding = "threshold",
      .signed_signal = false,
      .masks = true,
      .one_hot = true,
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
