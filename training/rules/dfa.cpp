// Direct feedback alignment: every hidden layer is taught by a fixed random projection of the output error.
#include <algorithm>

#include "training/rules/broadcast.hpp"

namespace lightloop {

RuleModel dfa_rule() {
  const RuleInfo info{
      .name = "dfa",
      .summary = "direct feedback alignment: a fixed random projection of the error teaches every layer",
      .equation = "delta_l = (B_l e) * f'(a_l); delta_L = e",
      .needs = Needs::fixed_projection,
      .cost = "one projection per sample; on a binary device one signed frame pair per bit plane",
      .source = "Nokland, arXiv 1609.01596, equation 7",
      .params = error_broadcast_params(),
      .encoding = "bitplanes:6",
      .masks = true,
      .by_error = true,
      .maps = true};
  return {info, [info](const RuleContext& context) {
            return broadcast_rule(info, context, [](std::span<const float> e, std::uint8_t, std::span<float> s) {
              std::ranges::copy(e, s.begin());
              return std::ranges::any_of(s, [](float v) { return v != 0; });
            });
          }};
}

}  // namespace lightloop
