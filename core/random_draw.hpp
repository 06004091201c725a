#pragma once
// What the samplers of counts share: double-precision uniforms and exact log probabilities. Private to random.
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/random_lanes.hpp"

namespace lightloop {

struct Uniforms {
  double u, v;
};

inline double unit52(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t bits = (std::uint64_t{a} << 20) | (b >> 12);
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;  // exact, so never 0 or 1
}

/// Two uniforms on (0, 1) of one element, one kind of sampler, one attempt: the four words of one block.
inline Uniforms draw(PhiloxKey key, std::uint64_t row, std::uint64_t column, Sampler kind, std::uint32_t attempt) {
  const auto w = philox({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32),
                         static_cast<std::uint32_t>(column), static_cast<std::uint32_t>(kind) + attempt},
                        key);
  return {unit52(w[0], w[1]), unit52(w[2], w[3])};
}

inline void check_column(std::uint64_t column, std::uint64_t count = 1) {
  constexpr std::uint64_t kColumns = std::uint64_t{1} << 32;
  if (column >= kColumns || count > kColumns - column)
    throw OutOfRange("random column", std::to_string(column) + " + " + std::to_string(count), "below 2^32",
                     "Use more rows.");
}

/// log k! less Stirling's (k + 1/2) log k - k + log(2 pi) / 2, for k >= 1.
inline double stirling_rest(double k) {
  static const auto kTable = [] {
    std::array<double, 16> table{};
    double factorial = 1;
    for (std::size_t i = 1; i < table.size(); ++i) {
      const auto x = static_cast<double>(i);
      factorial *= x;
      table[i] = std::log(factorial) - ((x + 0.5) * std::log(x) - x + 0.5 * std::log(2 * std::numbers::pi));
    }
    return table;
  }();
  if (k < 16) return kTable[static_cast<std::size_t>(k)];
  const double r = 1 / (k * k);
  return (1. / 12 - r * (1. / 360 - r * (1. / 1260 - r / 1680))) / k;
}

/// x log(x / m) + m - x without cancellation near x = m (Loader 2000, "Fast and accurate computation of binomial
/// probabilities").
inline double deviance(double x, double m) {
  if (std::abs(x - m) >= 0.1 * (x + m)) return x * std::log(x / m) + m - x;
  const double v = (x - m) / (x + m), v2 = v * v;
  double sum = (x - m) * v, term = 2 * x * v;
  for (int j = 3;; j += 2) {
    term *= v2;
    const double next = sum + term / j;
    if (next == sum) return sum;
    sum = next;
  }
}

inline constexpr double kInversionBelow = 10;  // Hoermann: the transformed rejections need a mean of at least 10

}  // namespace lightloop
