#pragma once
// Purposes of the draws that rules make. Numbers 200 to 219 of core/random.hpp's list are kept for them: append, never
// renumber. A draw is keyed by the number of the step or of the sample since the start of training, never by a counter
// in the rule.
#include "core/random.hpp"

namespace lightloop {

inline constexpr auto kRuleParameters = static_cast<Purpose>(200);    ///< initial own parameters; instance = layer
inline constexpr auto kRulePerturbation = static_cast<Purpose>(201);  ///< read: directions tried in a step
inline constexpr auto kRuleNegative = static_cast<Purpose>(202);      ///< read: wrong labels of negative data
inline constexpr auto kRuleNoise = static_cast<Purpose>(203);         ///< read: dropout masks, noise of denoising
inline constexpr auto kRuleFixed = static_cast<Purpose>(204);         ///< fabrication: fixed maps, bases and targets
inline constexpr auto kRuleFiring = static_cast<Purpose>(205);        ///< read: which neurons fire; row = sample

}  // namespace lightloop
