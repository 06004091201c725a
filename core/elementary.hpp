#pragma once
// Branch-free scalar float functions that the compiler turns into vector code when they stand in a plain loop. Used by
// vector_math and random; the polynomials are minimax fits made for this file (Remez exchange in 40-digit arithmetic),
// each with the relative error of the function it gives.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lightloop::elementary {

inline float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }
inline std::uint32_t to_bits(float x) { return std::bit_cast<std::uint32_t>(x); }

inline constexpr float kRoundingMagic = 0x1.8p23f;  ///< adding it rounds to an integer, kept in the low bits
inline constexpr float kLog2E = 0x1.715476p0f, kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;

/// exp(x) = 2^n (1 + m), |log(1 + m)| <= log(2) / 2; gives m and n. |x| < 2^21. Error of m 2^-32.
struct ExpParts {
  float m;
  std::uint32_t n;  ///< two's complement
};
inline ExpParts exp_parts(float x) {
  const float shifted = x * kLog2E + kRoundingMagic;
  const float n = shifted - kRoundingMagic;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float q = 0.5f + r * (0x1.555556p-3f +
                              r * (0x1.5554aep-5f + r * (0x1.11109p-7f + r * (0x1.6d7486p-10f + r * 0x1.a1a166p-13f))));
  return {r + r * r * q, to_bits(shifted) - to_bits(kRoundingMagic)};
}

/// e^x, about 1 ulp; +inf above 88.7, gradual underflow to 0.
inline float exp(float x) {
  const float low = x < -110.f ? -110.f : x;  // keeps NaN
  const auto [m, n] = exp_parts(low > 90.f ? 90.f : low);
  const std::uint32_t half = static_cast<std::uint32_t>(static_cast<std::int32_t>(n) >> 1);
  return (1.f + m) * from_bits((half + 127u) << 23) * from_bits((n - half + 127u) << 23);  // 2^n need not be a float
}

/// tanh(x) = expm1(2|x|) / (expm1(2|x|) + 2) with the sign of x; about 2 ulp everywhere.
inline float tanh(float x) {
  const float size = from_bits(to_bits(x) & 0x7fffffffu);
  const auto [m, n] = exp_parts(2.f * (size > 10.f ? 10.f : size));
  const float scale = from_bits((n + 127u) << 23);
  const float em1 = scale * m + (scale - 1.f);
  return from_bits(to_bits(em1 / (em1 + 2.f)) | (to_bits(x) & 0x80000000u));
}

/// x above 0, e^x - 1 below; about 1 ulp.
inline float elu(float x) {
  const float below = x < -30.f ? -30.f : x;  // keeps NaN
  const auto [m, n] = exp_parts(below > 0.f ? 0.f : below);
  const float scale = from_bits((n + 127u) << 23);
  return x > 0.f ? x : scale * m + (scale - 1.f);
}

/// 1 / (1 + e^-x), about 2 ulp, also where it is small.
inline float sigmoid(float x) {
  const float e = exp(from_bits(to_bits(x) | 0x80000000u));
  return (x < 0.f ? e : 1.f) / (1.f + e);
}

/// log of a positive normal number, about 1 ulp.
inline float log_positive(float x) {
  constexpr std::uint32_t kRootHalf =
      0x3f3504f3u;  // bits of sqrt(1/2): the mantissa is taken from [sqrt(1/2), sqrt(2))
  const std::uint32_t shifted = to_bits(x) - kRootHalf;
  const float e = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float f = from_bits((shifted & 0x007fffffu) + kRootHalf) - 1.f;
  const float s = f * f;
  // error 2^-30
  const float p =
      0x1.555546p-2f +
      f * (-0x1.ffffeep-3f +
           f * (0x1.99a544p-3f +
                f * (-0x1.5562e2p-3f +
                     f * (0x1.2332d2p-3f +
                          f * (-0x1.fb434ap-4f + f * (0x1.e64fcep-4f + f * (-0x1.e2e8bep-4f + f * 0x1.1b435ap-4f)))))));
  return e * kLn2High + (f + (s * (f * p - 0.5f) + e * kLn2Low));
}

/// Any float: log 0 = -inf, of a negative number NaN.
inline float log(float x) {
  const bool tiny = x < 0x1p-126f;
  const float y = log_positive(tiny ? x * 0x1p24f : x) - (tiny ? 24.f * 0x1.62e43p-1f : 0.f);
  const float special =
      x == 0.f ? -std::numeric_limits<float>::infinity() : (x < 0.f ? std::numeric_limits<float>::quiet_NaN() : x);
  return x > 0.f && x < std::numeric_limits<float>::infinity() ? y : special;
}

struct CosSin {
  float cos, sin;
};

/// cos and sin of `x` + quadrant pi / 2, |x| <= pi / 4.
inline CosSin cos_sin_of_octants(float x, std::uint32_t quadrant) {
  const float z = x * x;
  const float s = x + x * z * (-0x1.555546p-3f + z * (0x1.11076p-7f - z * 0x1.994eb8p-13f));               // 2^-28
  const float c = 1.f - z * (0.5f - z * (0x1.55554ap-5f + z * (-0x1.6c0c8cp-10f + z * 0x1.9a0264p-16f)));  // 2^-33
  const bool swap = (quadrant & 1u) != 0;
  const std::uint32_t cos_sign = ((quadrant + 1u) & 2u) << 30, sin_sign = (quadrant & 2u) << 30;
  return {from_bits(to_bits(swap ? s : c) ^ cos_sign), from_bits(to_bits(swap ? c : s) ^ sin_sign)};
}

/// cos and sin of an angle in radian, within 2 ulp, also near their zeros; |x| < kMostRadian. There n pi / 2 is exact
/// in its first part, which has 33 bits.
inline constexpr float kMostRadian = 0x1p20f;
inline CosSin cos_sin(float x) {
  constexpr double kMagic = 0x1.8p52, kHalfPiHigh = 0x1.921fb544p0, kHalfPiLow = 0x1.0b4611a626331p-34;
  const double wide = static_cast<double>(x), shifted = wide * 0x1.45f306dc9c883p-1 + kMagic, n = shifted - kMagic;
  const auto quadrant = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(shifted));
  return cos_sin_of_octants(static_cast<float>((wide - n * kHalfPiHigh) - n * kHalfPiLow), quadrant);
}

/// cos and sin of the angle turn * 2^-32 full turns; the reduction is exact because the angle is an integer.
inline CosSin cos_sin_turn(std::uint32_t turn) {
  const std::uint32_t quadrant = (turn + 0x20000000u) >> 30;
  const float x =
      static_cast<float>(static_cast<std::int32_t>(turn - (quadrant << 30))) * 0x1.921fb6p-30f;  // 2 pi/2^32
  return cos_sin_of_octants(x, quadrant);
}

}  // namespace lightloop::elementary
