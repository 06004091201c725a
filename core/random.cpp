#include "core/random.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "core/elementary.hpp"
#include "core/error.hpp"
#include "core/random_lanes.hpp"

namespace lightloop {
namespace {

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

void check_columns(std::uint64_t column, std::size_t count) {
  constexpr std::uint64_t kColumns = std::uint64_t{4} << 32;  // column / 4 is one counter word
  if (column >= kColumns || count > kColumns - column)
    throw OutOfRange("random column", std::to_string(column) + " + " + std::to_string(count), "below 2^34",
                     "Use more rows.");
}

/// Calls group(first block, out) for whole groups, and through a buffer for the ragged ends, so that a value never
/// depends on where a call starts or ends.
template <class T, class Group>
void in_groups(std::uint64_t column, std::span<T> out, Group group) {
  check_columns(column, out.size());
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = column + done;
    const std::size_t skip = at % kGroupWords;
    const std::size_t count = std::min(kGroupWords - skip, out.size() - done);
    const std::uint32_t block = low((at - skip) / 4);
    if (count == kGroupWords) {
      group(block, out.data() + done);
    } else {
      alignas(64) T part[kGroupWords];
      group(block, part);
      std::copy_n(part + skip, count, out.data() + done);
    }
    done += count;
  }
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kPhiloxM0} * counter[0], p1 = std::uint64_t{kPhiloxM1} * counter[2];
    counter = {high(p1) ^ counter[1] ^ key[0], low(p1), high(p0) ^ counter[3] ^ key[1], low(p0)};
    key[0] += kPhiloxW0;
    key[1] += kPhiloxW1;
  }
  return counter;
}

Stream::Stream(std::uint64_t seed, std::uint64_t instance, Purpose purpose)
    : key_(stream_key(seed, instance, purpose)) {}

void Stream::words(std::uint64_t row, std::uint64_t column, std::span<std::uint32_t> out) const {
  in_groups(column, out, [&](std::uint32_t block, std::uint32_t* to) { word_group(key_, row, block, 0, to); });
}

void Stream::uniform(std::uint64_t row, std::uint64_t column, std::span<float> out) const {
  in_groups(column, out, [&](std::uint32_t block, float* to) { uniform_group(key_, row, block, to); });
}

void Stream::normal(std::uint64_t row, std::uint64_t column, std::span<float> out) const {
  in_groups(column, out, [&](std::uint32_t block, float* to) { normal_group(key_, row, block, to); });
}

}  // namespace lightloop
