#include "core/random.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <numbers>
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

TEST_CASE("golden: the integers of every sampler stay as they are") {
  const Stream s(1, 2, Purpose::camera_shot);
  std::array<std::uint32_t, 4> w{};
  s.words(3, 5, w);
  CHECK(w == std::array<std::uint32_t, 4>{0x85fca170u, 0x8bfcdb8du, 0xbcfeceddu, 0xcc8da2c3u});
  std::array<float, 4> u{};
  s.uniform(3, 5, u);
  for (std::size_t i = 0; i < 4; ++i)  // (word + 1/2) / 2^32 to the nearest float
    CHECK(std::abs(static_cast<double>(u[i]) - (w[i] + 0.5) * 0x1p-32) <= 0x1p-25);
  CHECK(std::bit_cast<std::uint32_t>(u[0]) == 0x3f05fca1u);
  const std::array<float, 8> mean{0.1f, 2, 9, 11, 30, 500, 1e4f, 1e6f};
  std::array<float, 8> k{};
  s.poisson(3, 5, mean, k);
  CHECK(k == std::array<float, 8>{0, 1, 12, 12, 39, 492, 10024, 999326});
  std::array<std::uint64_t, 3> b{s.binomial(3, 5, 10, 0.3), s.binomial(3, 5, 1000, 0.3),
                                 s.binomial(3, 5, 1000000, 0.999)};
  CHECK(b == std::array<std::uint64_t, 3>{1u, 266u, 999075u});
  std::array<std::uint32_t, 8> p{};
  s.permutation(3, p);
  CHECK(p == std::array<std::uint32_t, 8>{1, 0, 2, 6, 4, 7, 5, 3});
}

TEST_CASE("normal draws are Box-Muller of their words to float accuracy") {
  const Stream s(5, 6, Purpose::user);
  std::vector<std::uint32_t> w(4096);
  std::vector<float> z(w.size());
  s.words(1, 0, w);
  s.normal(1, 0, z);
  for (std::size_t i = 0; i < w.size(); i += 2) {
    const double r = std::sqrt(-2 * std::log((w[i] + 0.5) * 0x1p-32)),
                 angle = 2 * std::numbers::pi * w[i + 1] * 0x1p-32;
    REQUIRE(static_cast<double>(z[i]) == Approx(r * std::cos(angle)).margin(2e-6));
    REQUIRE(static_cast<double>(z[i + 1]) == Approx(r * std::sin(angle)).margin(2e-6));
  }
}

TEST_CASE("four million normal draws have mean 0, variance 1, kurtosis 3 and the largest that so many have") {
  constexpr std::size_t kDraws = 1 << 22;
  std::vector<float> z(kDraws);
  Stream(11, 0, Purpose::user).normal(0, 0, z);
  double mean = 0, square = 0, fourth = 0, largest = 0;
  for (const float v : z) {
    const double d = static_cast<double>(v);
    mean += d / kDraws;
    square += d * d / kDraws;
    fourth += d * d * d * d / kDraws;
    largest = std::max(largest, std::abs(d));
  }
  // null: N(0, 1); two-sided, 3.3 standard errors (alpha 1e-3 each), seed 11
  CHECK(std::abs(mean) < 3.3 / std::sqrt(kDraws));
  CHECK(square == Approx(1).margin(3.3 * std::sqrt(2.0 / kDraws)));
  CHECK(fourth == Approx(3).margin(3.3 * std::sqrt(96.0 / kDraws)));
  // P(max <= t) = erf(t / sqrt 2)^n: 5e-4 below 4.77, 5e-4 above 6.44; a table of 32768 numbers ends near 4.2
  CHECK(largest > 4.77);
  CHECK(largest < 6.44);
}
