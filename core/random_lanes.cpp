#include "core/random_lanes.hpp"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include <cmath>
#include <cstring>

#include "core/elementary.hpp"

namespace lightloop {
namespace {

// A word lies in a lane of 64 bits, one block beside another, so that a product of two words is one instruction. What
// is left above a word does no harm: products, sums and exclusive ors give the same lower half with it.
#ifdef __AVX512F__
using Words [[gnu::vector_size(64)]] = std::uint64_t;
#else
using Words [[gnu::vector_size(32)]] = std::uint64_t;
#endif
using Narrow [[gnu::vector_size(sizeof(Words) / 2)]] = std::uint32_t;
constexpr std::uint32_t kBeside = sizeof(Words) / sizeof(std::uint64_t);

struct Blocks {
  Words a, b, c, d;
};

inline Words lower(Words x) { return x & 0xffffffffu; }

inline Words product(std::uint32_t m, Words x) {
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)x, _mm512_set1_epi64(m));
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(m));
#else
  return lower(x) * m;
#endif
}

inline Blocks philox_beside(Words key0, Words key1, Blocks x) {
#pragma GCC unroll 10
  for (int i = 0; i < kPhiloxRounds; ++i) {
    const Words p0 = product(kPhiloxM0, x.a), p1 = product(kPhiloxM1, x.c);
    x = {(p1 >> 32) ^ x.b ^ key0, p1, (p0 >> 32) ^ x.d ^ key1, p0};
    key0 += kPhiloxW0;
    key1 += kPhiloxW1;
  }
  return x;
}

inline Words counting() {
  Words x;
  for (std::uint32_t i = 0; i < kBeside; ++i) x[i] = i;
  return x;
}

/// kBeside blocks of a row from `block` on.
inline Blocks philox_row(PhiloxKey key, std::uint64_t row, std::uint32_t block, std::uint32_t last = 0) {
  const Words zero{};
  return philox_beside(zero + key[0], zero + key[1], {zero + row, zero + (row >> 32), counting() + block, zero + last});
}

/// Two words each, x below y.
inline Words pairs(Words x, Words y) { return lower(x) | (y << 32); }

template <class V, class T>
void store(V x, T* to) {
  std::memcpy(to, &x, sizeof x);
}
inline Narrow narrowed(Words x) { return __builtin_convertvector(x, Narrow); }
inline Words widened(const std::uint32_t* from) {
  Narrow x;
  std::memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Words);
}

/// Rounded once, as the conversion is; without AVX-512 there is none of unsigned words side by side.
inline float to_float(std::uint32_t word) {
#ifdef __AVX512F__
  return static_cast<float>(word);
#else
  const auto half = [](std::uint32_t bits) { return static_cast<float>(static_cast<std::int32_t>(bits)); };
  return half(word >> 16) * 0x1p16f + half(word & 0xffffu);
#endif
}

/// (word + 1/2) 2^-32 rounded to float, kept below 1.
inline float open_unit(std::uint32_t word) {
  const float u = to_float(word) * 0x1p-32f + 0x1p-33f;
  return u < 0x1.fffffep-1f ? u : 0x1.fffffep-1f;
}

struct Pair {
  float x, y;
};
/// Box and Muller: radius from one word, angle from the other.
inline Pair normal_pair(std::uint32_t radius_word, std::uint32_t angle_word) {
  const float radius = std::sqrt(-2.f * elementary::log_positive(open_unit(radius_word)));
  const auto [c, s] = elementary::cos_sin_turn(angle_word);
  return {radius * c, radius * s};
}

}  // namespace

PhiloxKey stream_key(std::uint64_t seed, std::uint64_t instance, Purpose purpose) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto hash = philox({low(seed), low(seed >> 32), low(instance), low(instance >> 32)},
                           {static_cast<std::uint32_t>(purpose), 0x4c4c5253u /* "LLRS", ours alone */});
  return {hash[0], hash[1]};
}

void word_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, std::uint32_t last, std::uint32_t* out) {
  std::uint64_t ab[kGroupBlocks], cd[kGroupBlocks];
  for (std::uint32_t i = 0; i < kGroupBlocks; i += kBeside) {
    const Blocks x = philox_row(key, row, block + i, last);
    store(pairs(x.a, x.b), ab + i);
    store(pairs(x.c, x.d), cd + i);
  }
  std::uint64_t both[2 * kGroupBlocks];
  for (std::size_t i = 0; i < kGroupBlocks; ++i) {
    both[2 * i] = ab[i];
    both[2 * i + 1] = cd[i];
  }
  std::memcpy(out, both, sizeof both);
}

void uniform_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out) {
  std::uint32_t words[kGroupWords];
  word_group(key, row, block, 0, words);
  for (std::size_t i = 0; i < kGroupWords; ++i) out[i] = open_unit(words[i]);
}

void normal_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out) {
  std::uint32_t radius[2 * kGroupBlocks], angle[2 * kGroupBlocks];
  for (std::uint32_t i = 0; i < kGroupBlocks; i += kBeside) {
    const Blocks x = philox_row(key, row, block + i);
    store(pairs(x.a, x.c), radius + 2 * i);
    store(pairs(x.b, x.d), angle + 2 * i);
  }
  for (std::size_t i = 0; i < 2 * kGroupBlocks; ++i) {
    const Pair p = normal_pair(radius[i], angle[i]);
    out[2 * i] = p.x;
    out[2 * i + 1] = p.y;
  }
}

void normal_blocks(const std::uint32_t* key0, const std::uint32_t* key1, std::uint64_t first_row,
                   std::uint32_t row_step, float* out) {
  std::uint32_t a[kGroupBlocks], b[kGroupBlocks], c[kGroupBlocks], d[kGroupBlocks];
  for (std::uint32_t i = 0; i < kGroupBlocks; i += kBeside) {
    const Words row = (counting() + i) * row_step + first_row;
    const Blocks x = philox_beside(widened(key0 + i), widened(key1 + i), {row, row >> 32, Words{}, Words{}});
    store(narrowed(x.a), a + i);
    store(narrowed(x.b), b + i);
    store(narrowed(x.c), c + i);
    store(narrowed(x.d), d + i);
  }
  for (std::size_t i = 0; i < kGroupBlocks; ++i) {
    const Pair p = normal_pair(a[i], b[i]), q = normal_pair(c[i], d[i]);
    out[i] = p.x;
    out[kGroupBlocks + i] = p.y;
    out[2 * kGroupBlocks + i] = q.x;
    out[3 * kGroupBlocks + i] = q.y;
  }
}

}  // namespace lightloop
