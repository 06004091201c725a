#include "core/random_lanes.hpp"

#include <cmath>

#include "core/elementary.hpp"

namespace lightloop {
namespace {

struct Four {
  std::uint32_t a, b, c, d;
};

inline Four round(Four x, std::uint32_t k0, std::uint32_t k1) {
  const std::uint64_t p0 = std::uint64_t{kPhiloxM0} * x.a, p1 = std::uint64_t{kPhiloxM1} * x.c;
  return {static_cast<std::uint32_t>(p1 >> 32) ^ x.b ^ k0, static_cast<std::uint32_t>(p1),
          static_cast<std::uint32_t>(p0 >> 32) ^ x.d ^ k1, static_cast<std::uint32_t>(p0)};
}

inline Four philox_lane(PhiloxKey key, std::uint64_t row, std::uint32_t block, std::uint32_t last = 0) {
  Four x{static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), block, last};
#pragma GCC unroll 10
  for (int i = 0; i < kPhiloxRounds; ++i)
    x = round(x, key[0] + static_cast<std::uint32_t>(i) * kPhiloxW0,
              key[1] + static_cast<std::uint32_t>(i) * kPhiloxW1);
  return x;
}

/// (word + 1/2) 2^-32 rounded to float, kept below 1.
inline float open_unit(std::uint32_t word) {
  const float u = static_cast<float>(word) * 0x1p-32f + 0x1p-33f;
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
  for (std::uint32_t i = 0; i < kGroupBlocks; ++i) {
    const Four x = philox_lane(key, row, block + i, last);
    out[4 * i] = x.a;
    out[4 * i + 1] = x.b;
    out[4 * i + 2] = x.c;
    out[4 * i + 3] = x.d;
  }
}

void uniform_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out) {
  for (std::uint32_t i = 0; i < kGroupBlocks; ++i) {
    const Four x = philox_lane(key, row, block + i);
    out[4 * i] = open_unit(x.a);
    out[4 * i + 1] = open_unit(x.b);
    out[4 * i + 2] = open_unit(x.c);
    out[4 * i + 3] = open_unit(x.d);
  }
}

void normal_group(PhiloxKey key, std::uint64_t row, std::uint32_t block, float* out) {
  for (std::uint32_t i = 0; i < kGroupBlocks; ++i) {
    const Four x = philox_lane(key, row, block + i);
    const Pair p = normal_pair(x.a, x.b), q = normal_pair(x.c, x.d);
    out[4 * i] = p.x;
    out[4 * i + 1] = p.y;
    out[4 * i + 2] = q.x;
    out[4 * i + 3] = q.y;
  }
}

void normal_blocks(const std::uint32_t* key0, const std::uint32_t* key1, std::uint64_t first_row,
                   std::uint32_t row_step, float* out) {
  for (std::uint32_t i = 0; i < kGroupBlocks; ++i) {
    const Four x = philox_lane({key0[i], key1[i]}, first_row + std::uint64_t{i} * row_step, 0);
    const Pair p = normal_pair(x.a, x.b), q = normal_pair(x.c, x.d);
    out[i] = p.x;
    out[kGroupBlocks + i] = p.y;
    out[2 * kGroupBlocks + i] = q.x;
    out[3 * kGroupBlocks + i] = q.y;
  }
}

}  // namespace lightloop
