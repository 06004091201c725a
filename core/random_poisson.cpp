// Poisson draws: exact at every mean, and a vectorised form for cameras.
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

double log_poisson(double k, double mean) {
  if (k == 0) return -mean;
  return -0.5 * std::log(2 * std::numbers::pi * k) - stirling_rest(k) - deviance(k, mean);
}

double poisson_small(double u, double mean) {
  constexpr double kEnd = 128;  // P(N > 128) < 1e-90 at mean 10: only rounding could lead there
  double k = 0;
  for (double p = std::exp(-mean); u > p && k < kEnd; p *= mean / k) {
    u -= p;
    ++k;
  }
  return k;
}

/// The uniforms of the first attempt come from outside, where they are made sixteen at a time.
double poisson_large(PhiloxKey key, std::uint64_t row, std::uint64_t column, double mean, Uniforms uniforms) {
  // constants of algorithm PTRS
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  for (std::uint32_t attempt = 1;; ++attempt) {
    const double u = uniforms.u - 0.5, v = uniforms.v, us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k >= 0 && (us >= 0.013 || v <= us) && std::log(v * inverse_alpha / (a / (us * us) + b)) <= log_poisson(k, mean))
      return k;
    uniforms = draw(key, row, column, Sampler::poisson, attempt);
  }
}

void check(const char* name, std::uint64_t column, std::span<const float> mean, std::span<float> out) {
  if (mean.size() != out.size())
    throw ShapeMismatch(name, "out holds " + std::to_string(out.size()), "mean holds " + std::to_string(mean.size()));
  check_column(column, out.size());
  bool good = true;
  for (const float m : mean) good &= m >= 0.f && m <= 1e15f;
  if (good) return;
  for (const float m : mean)
    if (!(m >= 0.f && m <= 1e15f)) throw OutOfRange(name, "mean " + std::to_string(m), "0..1e15");
}

/// Draws for those of at most 16 elements whose mean is below `limit`; the others are left alone.
void exact_group(PhiloxKey key, std::uint64_t row, std::uint64_t column, std::span<const float> mean, float limit,
                 float* out) {
  std::uint32_t words[kGroupWords];
  word_group(key, row, static_cast<std::uint32_t>(column), static_cast<std::uint32_t>(Sampler::poisson), words);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (!(mean[i] < limit)) continue;
    const auto m = static_cast<double>(mean[i]);
    const std::uint32_t* w = words + 4 * i;
    const Uniforms first{unit52(w[0], w[1]), unit52(w[2], w[3])};
    out[i] = static_cast<float>(m < kInversionBelow ? poisson_small(first.u, m)
                                                    : poisson_large(key, row, column + i, m, first));
  }
}

constexpr float kFastFrom = 32;

/// Quantile of the Poisson law at the normal z, to order 1 / mean^(3/2): Cornish-Fisher expansion (Abramowitz and
/// Stegun 26.2.49) with cumulants mean, mean - 1/12 (rounding adds 1/12), mean, mean, mean. One block, always whole.
[[gnu::noinline]] void cornish_fisher(const float* mean, const float* z, float* out) {
  for (std::size_t i = 0; i < kGroupWords; ++i) {
    const float m = mean[i] < kFastFrom ? kFastFrom : mean[i];
    const float variance = m - 1.f / 12.f, sigma = std::sqrt(variance), x = z[i], x2 = x * x;
    const float g1 = m / (variance * sigma), g2 = g1 / sigma, g3 = g2 / sigma;
    const float w = x + g1 * (x2 - 1.f) * (1.f / 6.f) + x * (g2 * (x2 - 3.f) * (1.f / 24.f)) -
                    x * (g1 * g1 * (2.f * x2 - 5.f) * (1.f / 36.f)) + g3 * ((x2 - 6.f) * x2 + 3.f) * (1.f / 120.f) -
                    g1 * g2 * ((x2 - 5.f) * x2 + 2.f) * (1.f / 24.f) +
                    g1 * g1 * g1 * ((12.f * x2 - 53.f) * x2 + 17.f) * (1.f / 324.f);
    const float n = std::floor(m + (sigma * w + 0.5f));
    out[i] = n < 0.f ? 0.f : n;
  }
}

}  // namespace

void Stream::poisson(std::uint64_t row, std::uint64_t column, std::span<const float> mean, std::span<float> out) const {
  check("poisson", column, mean, out);
  for (std::size_t i = 0; i < out.size(); i += kGroupBlocks) {
    const std::size_t count = std::min(kGroupBlocks, out.size() - i);
    exact_group(key_, row, column + i, mean.subspan(i, count), std::numeric_limits<float>::infinity(), &out[i]);
  }
}

void Stream::poisson_fast(std::uint64_t row, std::uint64_t column, std::span<const float> mean,
                          std::span<float> out) const {
  check("poisson_fast", column, mean, out);
  float z[kGroupWords] = {}, m[kGroupWords] = {}, n[kGroupWords];
  for (std::size_t i = 0; i < out.size(); i += kGroupWords) {
    const std::size_t count = std::min(kGroupWords, out.size() - i);
    normal(row, column + i, std::span(z).first(count));
    std::copy_n(&mean[i], count, m);
    cornish_fisher(m, z, n);
    for (std::size_t j = 0; j < count; j += kGroupBlocks) {
      const auto part = std::span<const float>(m).subspan(j, std::min(kGroupBlocks, count - j));
      bool small = false;
      for (const float x : part) small |= x < kFastFrom;
      if (small) exact_group(key_, row, column + i + j, part, kFastFrom, n + j);
    }
    std::copy_n(n, count, &out[i]);
  }
}

}  // namespace lightloop
