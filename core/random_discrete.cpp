// Counts: exact Poisson and binomial draws, permutations; and the double-precision draws they are made of.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/random_lanes.hpp"

namespace lightloop {
namespace {

struct Uniforms {
  double u, v;
};

double unit52(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t bits = (std::uint64_t{a} << 20) | (b >> 12);
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;  // exact, so never 0 or 1
}

/// Two uniforms on (0, 1) of one element, one kind of sampler, one attempt: the four words of one block.
Uniforms draw(PhiloxKey key, std::uint64_t row, std::uint64_t column, Sampler kind, std::uint32_t attempt) {
  const auto w = philox({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32),
                         static_cast<std::uint32_t>(column), static_cast<std::uint32_t>(kind) + attempt},
                        key);
  return {unit52(w[0], w[1]), unit52(w[2], w[3])};
}

void check_column(std::uint64_t column, std::uint64_t count = 1) {
  constexpr std::uint64_t kColumns = std::uint64_t{1} << 32;
  if (column >= kColumns || count > kColumns - column)
    throw OutOfRange("random column", std::to_string(column) + " + " + std::to_string(count), "below 2^32",
                     "Use more rows.");
}

/// log k! less Stirling's (k + 1/2) log k - k + log(2 pi) / 2, for k >= 1.
double stirling_rest(double k) {
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
double deviance(double x, double m) {
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

double log_poisson(double k, double mean) {
  if (k == 0) return -mean;
  return -0.5 * std::log(2 * std::numbers::pi * k) - stirling_rest(k) - deviance(k, mean);
}

double log_binomial(double k, double n, double p) {
  if (k == 0) return n * std::log1p(-p);
  if (k == n) return n * std::log(p);
  return 0.5 * std::log(n / (2 * std::numbers::pi * k * (n - k))) + stirling_rest(n) - stirling_rest(k) -
         stirling_rest(n - k) - deviance(k, n * p) - deviance(n - k, n * (1 - p));
}

constexpr double kInversionBelow = 10;  // Hoermann: the transformed rejections need a mean of at least 10

double poisson_small(double u, double mean) {
  constexpr double kEnd = 128;  // P(N > 128) < 1e-90 at mean 10: only rounding could lead there
  double k = 0;
  for (double p = std::exp(-mean); u > p && k < kEnd; p *= mean / k) {
    u -= p;
    ++k;
  }
  return k;
}

double poisson_large(PhiloxKey key, std::uint64_t row, std::uint64_t column, double mean) {
  // constants of algorithm PTRS
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  for (std::uint32_t attempt = 0;; ++attempt) {
    const auto [u01, v] = draw(key, row, column, Sampler::poisson, attempt);
    const double u = u01 - 0.5, us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= log_poisson(k, mean)) return k;
  }
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

void Stream::poisson(std::uint64_t row, std::uint64_t column, std::span<const float> mean, std::span<float> out) const {
  if (mean.size() != out.size())
    throw ShapeMismatch("poisson", "out holds " + std::to_string(out.size()),
                        "mean holds " + std::to_string(mean.size()));
  check_column(column, out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double m = static_cast<double>(mean[i]);
    if (!(m >= 0 && m <= 1e15)) throw OutOfRange("Poisson mean", std::to_string(m), "0..1e15");
    const double k = m < kInversionBelow ? poisson_small(draw(key_, row, column + i, Sampler::poisson, 0).u, m)
                                         : poisson_large(key_, row, column + i, m);
    out[i] = static_cast<float>(k);
  }
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
