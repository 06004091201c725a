#pragma once
#include "core/array.hpp"

namespace lightloop {

/// The most levels of a converter of `bits` bits whose codes tell them apart, to both ends: 2^(bits - 1) - 1.
inline Index most_levels(int bits) { return (Index{1} << (bits - 1)) - 1; }

}  // namespace lightloop
