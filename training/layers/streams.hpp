#pragma once
// Purposes of the draws that layers make. Numbers 220 to 229 of core/random.hpp's list are kept for them: append, never
// renumber.
#include "core/random.hpp"

namespace lightloop {

inline constexpr auto kDropout = static_cast<Purpose>(220);  ///< read: what is dropped; row = number of the sample
inline constexpr auto kFiring = static_cast<Purpose>(221);   ///< read: which neurons fire; row = number of the sample
inline constexpr auto kNoise = static_cast<Purpose>(222);    ///< read, training; row = number of the sample
inline constexpr auto kNoiseAsScored = static_cast<Purpose>(223);  ///< read, evaluation; row = place of the sample

}  // namespace lightloop
