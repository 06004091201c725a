#pragma once
// Initial weights, one law for every layer.
#include <cmath>

#include "core/random.hpp"
#include "training/elementwise.hpp"

namespace lightloop {

/// w(o, i) ~ N(0, gain / cols) from Stream(seed, instance, Purpose::weights_init); its rows begin at `first_row`.
inline void normal_weights(std::uint64_t seed, std::uint64_t instance, double gain, View<float> w,
                           std::uint64_t first_row = 0) {
  const Stream stream(seed, instance, Purpose::weights_init);
  const float scale = static_cast<float>(std::sqrt(gain)) / std::sqrt(static_cast<float>(w.cols()));
  for_rows(w.rows(), w.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      stream.normal(first_row + static_cast<std::uint64_t>(r), 0, w.row(r));
      for (float& v : w.row(r)) v *= scale;
    }
  });
}

}  // namespace lightloop
