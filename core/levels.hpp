#pragma once
#include <algorithm>
#include <cmath>

#include "core/array.hpp"

namespace lightloop {

/// The most levels of a converter of `bits` bits whose codes tell them apart, to both ends: 2^(bits - 1) - 1.
inline Index most_levels(int bits) { return (Index{1} << (bits - 1)) - 1; }

/// The level of a converter of n >= 2 levels that is nearest to y: k / h with k = -h, -h + 1 .. h, h = (n - 1) / 2.
inline double nearest_level(double y, Index levels) {
  const double h = 0.5 * static_cast<double>(levels - 1), between = levels % 2 == 0 ? 0.5 : 0.0;
  return std::clamp(std::rint(h * y - between) + between, -h, h) / h;
}

}  // namespace lightloop
