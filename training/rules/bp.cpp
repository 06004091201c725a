// Back-propagation: the exact gradient, and the yardstick of every other rule.
#include "training/rules/chain.hpp"

namespace lightloop {

RuleModel bp_rule() {
  const RuleInfo info{
      .name = "bp",
      .summary =
          "back-propagation: the exact gradient, through the transposed forward weights; on device "
          "layers, or behind a map with a twin, physics-aware training",
      .equation = "delta_L = e; delta_l = (W_{l+1}^T delta_{l+1}) * f'(a_l)",
      .needs = Needs::nothing,
      .cost = "none: runs on the host; physics-aware, the forward passes on the device",
      .source = "Rumelhart, Hinton, Williams, Nature 323, 533 (1986); Wright et al., Nature 601, 549 (2022)",
      .params = {},
      .masks = true,
      .by_error = true,
      .goes_back = true,
      .maps = true,
      .crosses_maps = true};
  return {info, [info](const RuleContext&) { return chain_rule(info); }};
}

}  // namespace lightloop
