#pragma once
// Groups of 16 Philox blocks (64 words), computed lane by lane so that the compiler makes vector code. Private to
// random.
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/random.hpp"

namespace lightloop {

// Multipliers and Weyl increments of Philox4x32 (Salmon et al. 2011, table 2 and section 3.3).
inline constexpr std::uint32_t kPhiloxM0 = 0xd2511f53u, kPhiloxM1 = 0xcd9e8d57u;
inline constexpr std::uint32_t kPhiloxW0 = 0x9e3779b9u, kPhiloxW1 = 0xbb67ae85u;
inline constexpr int kPhiloxRounds = 10;

inline constexpr std::size_t kGroupBlocks = 16, kGroupWords = 4 * kGroupBlocks;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// What one rejection sampler or double-precision draw puts in the fourth counter word (the attempt is added), so that
/// it never meets the words of the float streams, which have 0 there.
enum class Sampler : std::uint32_t {
  words = 0,
  real = 1u << 24,
  real_normal = 2u << 24,
  poisson = 3u << 24,
  binomial = 4u << 24,
  permutation = 5u << 24,
};

/// The key of Stream(seed, instance, purpose).
PhiloxKey stream_key(std::uint64_t seed, std::uint64_t instance, Purpose purpose);

/// Blocks block ... block + 15 of a row, `last` being the fourth counter word: 64 words.
void word_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, std::uint32_t last, std::uint32_t* out);
/// Columns 4 block ... 4 block + 63 of a row.
void uniform_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out);
void normal_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out);
/// Columns 0 ... 3 of kGroupBlocks pairs of key and row, by column: out[c * 16 + i] belongs to key i and row
/// first_row + i * row_step.
void normal_blocks(const std::uint32_t* key0, const std::uint32_t* key1, std::uint64_t first_row,
                   std::uint32_t row_step, float* out);

}  // namespace lightloop
