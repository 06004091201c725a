// Exact binomial draws, permutations, and the double-precision draws.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <string>

#include "core/random_draw.hpp"

namespace lightloop {
namespace {

double log_binomial(double k, double n, double p) {
  if (k == 0) return n * std::log1p(-p);
  if (k == n) return n * std::log(p);
  return 0.5 * std::log(n / (2 * std::numbers::pi * k * (n - k))) + stirling_rest(n) - stirling_rest(k) -
         stirling_rest(n - k) - deviance(k, n * p) - deviance(n - k, n * (1 - p));
}

double binomial_small(double u, double n, double p) {
  double k = 0;
  for (double f = std::exp(n * std::log1p(-p)); u > f && k < n; f *= (n - k + 1) / k * (p / (1 - p))) {
    u -= f;
    ++k;
    if (f == 0) break;
  }
  return k;
}

double binomial_large(PhiloxKey key, std::uint64_t row, std::uint64_t column, double n, double p) {
  // constants of algorithm BTRS
  const double spread = std::sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double c = n * p + 0.5, v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread;
  const double at_mode = log_binomial(std::floor((n + 1) * p), n, p);
  for (std::uint32_t attempt = 0;; ++attempt) {
    const auto [u01, v] = draw(key, row, column, Sampler::binomial, attempt);
    const double u = u01 - 0.5, us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + c);
    if (k < 0 || k > n) continue;
    if (us >= 0.07 && v <= v_r) return k;
    if (std::log(v * alpha / (a / (us * us) + b)) <= log_binomial(k, n, p) - at_mode) return k;
  }
}

}  // namespace

double Stream::uniform(std::uint64_t row, std::uint64_t column) const {
  check_column(column);
  return draw(key_, row, column, Sampler::real, 0).u;
}

double Stream::normal(std::uint64_t row, std::uint64_t column) const {
  check_column(column);
  const auto [u, v] = draw(key_, row, column, Sampler::real_normal, 0);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

std::uint64_t Stream::binomial(std::uint64_t row, std::uint64_t column, std::uint64_t trials,
                               double probability) const {
  check_column(column);
  if (!(probability >= 0 && probability <= 1))
    throw OutOfRange("binomial probability", std::to_string(probability), "0..1");
  if (trials > (std::uint64_t{1} << 53)) throw OutOfRange("binomial trials", std::to_string(trials), "at most 2^53");
  const bool flip = probability > 0.5;
  const double n = static_cast<double>(trials), p = flip ? 1 - probability : probability;
  const double k = n * p < kInversionBelow ? binomial_small(draw(key_, row, column, Sampler::binomial, 0).u, n, p)
                                           : binomial_large(key_, row, column, n, p);
  return static_cast<std::uint64_t>(flip ? n - k : k);
}

void Stream::permutation(std::uint64_t row, std::span<std::uint32_t> out) const {
  if (out.size() > std::numeric_limits<std::uint32_t>::max())
    throw OutOfRange("permutation length", std::to_string(out.size()), "below 2^32");
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint32_t>(i);
  std::array<std::uint32_t, kGroupWords> group;
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (i == 1 || i % kGroupWords == 0) words(row, i - i % kGroupWords, group);
    const auto n = static_cast<std::uint32_t>(i + 1);
    std::uint64_t product = std::uint64_t{group[i % kGroupWords]} * n;
    // Lemire 2019: the high word is uniform on 0..i once low words below 2^32 mod n are refused
    if (static_cast<std::uint32_t>(product) < n) {
      const std::uint32_t refuse = (0u - n) % n;
      for (std::uint32_t attempt = 0; static_cast<std::uint32_t>(product) < refuse; ++attempt)
        product = std::uint64_t{philox(
                      {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32),
                       static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(Sampler::permutation) + attempt},
                      key_)[0]} *
                  n;
    }
    std::swap(out[i], out[product >> 32]);
  }
}

}  // namespace lightloop
