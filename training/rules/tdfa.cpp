// Ternary DFA: the error is cut to -1, 0, +1 before it is projected, so that a binary light modulator can show it.
#include "training/rules/broadcast.hpp"

namespace lightloop {

RuleModel tdfa_rule() {
  RuleInfo info{
      .name = "tdfa",
      .summary = "DFA with a ternary error: two binary frames show it, and confident samples need none",
      .equation = "delta_l = (B_l T(e)) * f'(a_l), T(e)_i = sign(e_i) where |e_i| > dead_zone, else 0; delta_L = e",
      .needs = Needs::fixed_projection,
      .cost = "two binary frames per sample, none where T(e) = 0",
      .source = "Launay et al., arXiv 2006.01475, section 2",
      .params = error_broadcast_params(),
      .encoding = "ternary",
      .masks = true,
      .by_error = true,
      .maps = true};
  info.params.push_back(
      {"dead_zone", "1", 0.2, 0, 1,
       "errors up to this size count as zero; published: 0.1, which with ten classes is the error of an untrained "
       "network in every wrong one"});
  return {info, [info](const RuleContext& context) {
            const auto dead_zone = static_cast<float>(context.params.real("dead_zone"));
            return broadcast_rule(info, context,
                                  [dead_zone](std::span<const float> e, std::uint8_t, std::span<float> s) {
                                    bool any = false;
                                    for (std::size_t i = 0; i < s.size(); ++i) {
                                      s[i] = e[i] > dead_zone ? 1.0f : e[i] < -dead_zone ? -1.0f : 0.0f;
                                      any = any || s[i] != 0;
                                    }
                                    return any;
                                  });
          }};
}

}  // namespace lightloop
