#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "driver/projection/readout.hpp"

namespace lightloop {

std::vector<Shot> anchor_shots() { return {Shot{.anchor = true, .real = 1}, Shot{.real = -1}}; }

std::vector<std::uint32_t> choose_pixels(std::span<const float> anchor, Index count, double signal) {
  const auto n = static_cast<Index>(anchor.size());
  if (n < count)
    throw ShapeMismatch("anchor read-out", std::to_string(n) + " pixels", "at least " + std::to_string(count));
  std::vector<std::uint32_t> order(anchor.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return anchor[a] < anchor[b]; });

  // Below a hundredth of the mean a pixel is as good as dark; the floor keeps measured values <= 0 out of the division.
  const double mean = std::accumulate(anchor.begin(), anchor.end(), 0.0) / static_cast<double>(n);
  const double floor = std::max(0.01 * mean, 1e-12);
  const auto brightness = [&](Index rank) {
    return std::max(static_cast<double>(anchor[order[static_cast<std::size_t>(rank)]]), floor);
  };
  const double peak = 3 * std::sqrt(std::max(signal, 0.0));
  double sum = 0, best = 0;
  Index first = -1;
  for (Index last = 0; last < n; ++last) {
    sum += 1 / brightness(last);
    if (last >= count) sum -= 1 / brightness(last - count);
    if (last + 1 < count) continue;
    const double amplitude = std::sqrt(brightness(last)) + peak;
    const double noise = (1 + 2 * signal * sum / static_cast<double>(count)) * amplitude * amplitude;
    if (first < 0 || noise < best) {
      best = noise;
      first = last + 1 - count;
    }
  }
  std::vector<std::uint32_t> kept(order.begin() + first, order.begin() + first + count);
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace lightloop
