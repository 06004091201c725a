// Sign DFA: only the sign of every error component is projected.
#include "training/rules/broadcast.hpp"

namespace lightloop {

RuleModel sdfa_rule() {
  const RuleInfo info{.name = "sdfa",
                      .summary = "DFA with the sign of the error: no size, so confident samples still shout",
                      .equation = "delta_l = (B_l sign(e)) * f'(a_l); delta_L = e",
                      .needs = Needs::fixed_projection,
                      .cost = "two binary frames per sample",
                      .source = "Frenkel, Lefebvre, Bol, arXiv 1909.01311, section 2.1",
                      .params = error_broadcast_params(),
                      .encoding = "ternary",
                      .masks = true,
                      .by_error = true,
                      .maps = true};
  return {info, [info](const RuleContext& context) {
            return broadcast_rule(info, context, [](std::span<const float> e, std::uint8_t, std::span<float> s) {
              bool any = false;
              for (std::size_t i = 0; i < s.size(); ++i) {
                s[i] = e[i] > 0 ? 1.0f : e[i] < 0 ? -1.0f : 0.0f;
                any = any || s[i] != 0;
              }
              return any;
            });
          }};
}

}  // namespace lightloop
