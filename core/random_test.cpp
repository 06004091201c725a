#include "core/random.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "core/error.hpp"

using namespace lightloop;

namespace {
template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}
}  // namespace

TEST_CASE("philox equals the published known answers") {
  // Random123 1.14, kat_vectors, philox4x32 10
  using C = std::array<std::uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == C{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        C{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        C{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox equals Random123 on arbitrary counters and keys") {
  std::array<std::uint32_t, 4> c{1, 2, 3, 4};
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::array<std::uint32_t, 2> k{c[3] * 2654435761u, c[0] ^ i};
    const auto theirs = r123::Philox4x32()({{c[0], c[1], c[2], c[3]}}, {{k[0], k[1]}});
    c = philox(c, k);
    REQUIRE(std::equal(c.begin(), c.end(), theirs.begin()));
  }
}

TEST_CASE("a fill equals any split of it bit for bit") {
  const Stream s(7, 3, Purpose::user);
  constexpr std::size_t kLength = 700;
  std::vector<std::uint32_t> w(kLength), w2(kLength);
  std::vector<float> u(kLength), u2(kLength), z(kLength), z2(kLength);
  for (const std::uint64_t row : {std::uint64_t{0}, std::uint64_t{5}, ~std::uint64_t{0}}) {
    s.words(row, 0, w);
    s.uniform(row, 0, u);
    s.normal(row, 0, z);
    for (std::size_t step : {1u, 2u, 3u, 5u, 16u, 31u, 63u, 64u, 65u, 129u, 333u}) {
      for (std::size_t i = 0; i < kLength; i += step) {
        const auto n = std::min(step, kLength - i);
        s.words(row, i, std::span(w2).subspan(i, n));
        s.uniform(row, i, std::span(u2).subspan(i, n));
        s.normal(row, i, std::span(z2).subspan(i, n));
      }
      REQUIRE(w == w2);
      REQUIRE(same_bits<float>(u, u2));
      REQUIRE(same_bits<float>(z, z2));
    }
  }
}

TEST_CASE("bulk words are the reference philox of (row, column / 4)") {
  const Stream s(123456789012345ull, 42, Purpose::camera_shot);
  const auto hash = philox({static_cast<std::uint32_t>(123456789012345ull), 123456789012345ull >> 32, 42, 0},
                           {static_cast<std::uint32_t>(Purpose::camera_shot), 0x4c4c5253u});
  std::vector<std::uint32_t> w(300);
  const std::uint64_t row = 0x0123456789abcdefull, first = (std::uint64_t{1} << 33) + 5;
  s.words(row, first, w);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto c = first + i;
    REQUIRE(w[i] ==
            philox({0x89abcdefu, 0x01234567u, static_cast<std::uint32_t>(c / 4), 0}, {hash[0], hash[1]})[c % 4]);
  }
}
