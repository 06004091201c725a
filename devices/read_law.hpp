#pragma once
// Noise of a converter's end by name: of a strength of its own, or that of carriers which are counted.
//
//   gaussian, laplacian, uniform   x + sd xi                                          (core/leakage.hpp)
//   poisson    sign(x) sd^2 Poisson(|x| / sd^2)             variance sd^2 |x|
//   binomial   sign(x) full Binomial(n, |x| / full) / n     variance |x| (full - |x|) / n
// with n = full / sd^2 carriers, rounded, 1 to 2^53, that arrive or are lost. So sd is that of a signal of 1 (poisson),
// and a few of many carriers have poisson's law. All laws are right on average. A signal beyond full scale stays as it
// is (binomial): what reads it clips it. The noise words of networks (docs/networks.md) are the same laws: "noise
// poisson scale=s precision=p" is sd = 1 / sqrt(s p), and so leaks as core/leakage.hpp says; "noise binomial
// carriers=n" is sd = 1 / sqrt(n), full 1.
#include <cstdint>
#include <span>
#include <string>

#include "core/random.hpp"

namespace lightloop {

enum class ReadLaw { gaussian, laplacian, uniform, poisson, binomial };
inline constexpr const char* kReadLaws[] = {"gaussian", "laplacian", "uniform", "poisson",
                                            "binomial"};  ///< names, by number
ReadLaw read_law(const std::string& name);                ///< one of these
inline bool counts_carriers(ReadLaw law) { return law >= ReadLaw::poisson; }

/// x becomes a draw of that law; columns first + place of the row. sd > 0, full > 0.
void read_noisily(ReadLaw law, double sd, double full, const Stream& stream, std::uint64_t row, std::span<float> x,
                  std::uint64_t first = 0);

}  // namespace lightloop
