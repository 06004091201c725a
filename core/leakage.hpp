#pragma once
// Noise of analog values that are meant to be one of p levels per unit (step 1 / p): laws, and their strength from the
// "leakage" L, the probability that a level is left: L = 2 F(-1 / (2 p)) for a symmetric law with distribution F.
//
// The parametrisation is that of AnalogVNN (Shah and Youngblood, APL Mach. Learn. 1, 026116 (2023)); it counts free
// levels: where values are clipped at the outermost ones those leave on one side only.
#include <cstdint>
#include <span>

#include "core/random.hpp"

namespace lightloop {

enum class NoiseLaw { gaussian, laplacian, uniform };
inline constexpr const char* kNoiseLaws[] = {"gaussian", "laplacian", "uniform"};  ///< names, by number

/// Scale of the law: standard deviation (gaussian), b of exp(-|x| / b) / 2b (laplacian), full width (uniform).
/// 0 < leakage < 1, precision > 0; throws OutOfRange.
double scale_for_leakage(NoiseLaw law, double leakage, double precision);
/// The inverse: 0 <= L <= 1. Throws OutOfRange for a negative scale or precision.
double leakage_of(NoiseLaw law, double scale, double precision);
double standard_deviation(NoiseLaw law, double scale);
/// Leakage at |x| = 1, where it is largest, of poisson_noise(s, p) read by reduce_precision(p): the probability of
/// counts outside ((K - 1/2) s, (K + 1/2) s], K = ceil(p - 1/2). s p >= 1; throws OutOfRange.
double poisson_leakage(double s, double precision);
/// The scale s with that leakage, to 1e-5 of it; of several about the largest. Counts are whole numbers, so the leakage
/// jumps with s, up and down: where it jumps over `leakage` at every s, which it does at a few levels per unit, s is
/// the one whose leakage is nearest. Throws OutOfRange for a leakage that is not above 0 and below 1, or that is larger
/// than any number of carriers has.
double poisson_scale_for_leakage(double leakage, double precision);

/// x += noise; row (one per sample) and first column say which draws. Laplacian draws end at 16.7 b.
void add_noise(NoiseLaw law, double scale, const Stream& stream, std::uint64_t row, std::span<float> x,
               std::uint64_t first = 0);
/// x becomes sign(x) Poisson(|x| s p) / (s p): variance |x| / (s p). s p >= 1, |x| finite.
void poisson_noise(double s, double precision, const Stream& stream, std::uint64_t row, std::span<float> x);
/// x becomes sign(x) Binomial(n, |x|) / n: n carriers that each arrive with probability |x|; variance |x| (1 - |x|) /
/// n. n >= 1. Throws OutOfRange for |x| > 1.
void binomial_noise(std::int64_t carriers, const Stream& stream, std::uint64_t row, std::span<float> x);

/// x becomes sign(x) ceil(|x| p - 1/2) / p: the nearest of the levels k / p, halves towards 0; 2 p + 1 levels on [-1,
/// 1].
void reduce_precision(double precision, std::span<float> x);
/// The level above with probability frac(|x| p), else the one below: right on average.
void reduce_precision_randomly(double precision, const Stream& stream, std::uint64_t row, std::span<float> x);

}  // namespace lightloop
