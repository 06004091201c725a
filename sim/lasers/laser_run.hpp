#pragma once
// Eight lasers on the bench. Private to laser_measure and laser_noise.
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "core/random_side_by_side.hpp"
#include "sim/lasers/spin_flip.hpp"

namespace lightloop::bench {

inline constexpr int kLanes = 8;  // of double precision
using Each = std::array<double, kLanes>;

/// Lasers side by side at constant pump and injection, with or without noise.
struct Run {
  static constexpr Index kAtOnce = 64;
  std::unique_ptr<Lasers> lasers;
  Each pump{}, injected{}, mean_x{}, mean_y{};
  const SideBySide* noise = nullptr;
  std::uint64_t row = 0;

  /// Means over these steps.
  void advance(Index steps) {
    alignas(64) std::array<float, kAtOnce * kDeviates * kSide> normals;
    Each sum_x{}, sum_y{};
    for (Index done = 0; done < steps; done += kAtOnce) {
      const Index now = std::min(kAtOnce, steps - done);
      if (noise) noise->members(row, std::span(normals).first(static_cast<std::size_t>(now) * kDeviates * kSide));
      row += static_cast<std::uint64_t>(now);
      lasers->advance(now, pump.data(), injected.data(), noise ? normals.data() : nullptr, kSide, mean_x.data(),
                      mean_y.data());
      for (std::size_t i = 0; i < kLanes; ++i) {
        sum_x[i] += mean_x[i] * static_cast<double>(now) / static_cast<double>(steps);
        sum_y[i] += mean_y[i] * static_cast<double>(now) / static_cast<double>(steps);
      }
    }
    mean_x = sum_x;
    mean_y = sum_y;
  }
  void all(double mu, double light = 0) {
    pump.fill(mu);
    injected.fill(light);
  }
};

}  // namespace lightloop::bench
