#include "core/leakage.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kMany = 400000;

std::vector<float> uniform_values(std::uint64_t set) {
  std::vector<float> x(kMany);
  Stream(11, set, Purpose::user).uniform(0, 0, x);
  for (float& value : x) value = 2 * value - 1;
  return x;
}

/// Part of the values that noise takes to another of the levels k / 16; `clamp` keeps them in [-1, 1].
template <class Noise>
double flips(bool clamp, Noise noise) {
  std::vector<float> x(kMany);  // all 33 levels alike
  Stream(11, 1, Purpose::user).uniform(0, 0, x);
  for (float& value : x) value = (std::floor(33 * value) - 16) / 16;
  std::vector<float> y = x;
  noise(y);
  if (clamp)
    for (float& value : y) value = std::min(1.0f, std::max(-1.0f, value));
  reduce_precision(16, y);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kMany; ++i) count += x[i] != y[i];
  return static_cast<double>(count) / kMany;
}

}  // namespace

TEST_CASE("16 levels per unit: 33 on [-1, 1], rms error 1 / (16 sqrt 12), halves towards 0") {
  std::vector<float> x = uniform_values(2), y = x;
  reduce_precision(16, y);
  CHECK(std::set<float>(y.begin(), y.end()).size() == 33);
  double sum = 0;
  for (std::size_t i = 0; i < kMany; ++i) sum += std::pow(static_cast<double>(x[i] - y[i]), 2);
  CHECK(std::sqrt(sum / kMany) == Approx(.01804).epsilon(3e-3));  // s.e. 7e-4 of itself
  std::vector<float> halves{0.5f / 16, -1.5f / 16, 0.51f / 16};
  reduce_precision(16, halves);
  CHECK(halves == std::vector<float>{0, -1.0f / 16, 1.0f / 16});
  std::vector<float> random(kMany, 0.3f);
  reduce_precision_randomly(16, Stream(3, 0, Purpose::user), 0, random);
  double mean = 0;
  for (const float value : random) mean += static_cast<double>(value);
  CHECK(mean / kMany == Approx(0.3).margin(4 * 0.4 / 16 / std::sqrt(kMany)));
}

TEST_CASE("a leakage of one half at 16 levels: scales of three laws, and back") {
  CHECK(scale_for_leakage(NoiseLaw::gaussian, .5, 16) == Approx(.04633).margin(6e-6));
  CHECK(standard_deviation(NoiseLaw::laplacian, scale_for_leakage(NoiseLaw::laplacian, .5, 16)) ==
        Approx(.06376).margin(6e-6));
  CHECK(standard_deviation(NoiseLaw::uniform, scale_for_leakage(NoiseLaw::uniform, .5, 16)) ==
        Approx(.03608).margin(6e-6));
  for (const NoiseLaw law : {NoiseLaw::gaussian, NoiseLaw::laplacian, NoiseLaw::uniform})
    for (const double leakage : {0.01, 0.3, 0.8})
      CHECK(leakage_of(law, scale_for_leakage(law, leakage, 7), 7) == Approx(leakage));
  CHECK(leakage_of(NoiseLaw::gaussian, 0, 16) == 0);
  CHECK_THROWS_AS(scale_for_leakage(NoiseLaw::gaussian, 1, 16), OutOfRange);
  CHECK_THROWS_AS(scale_for_leakage(NoiseLaw::gaussian, 0.5, 0), OutOfRange);
}

TEST_CASE("the leakage asked for is the leakage drawn, clipping at the ends lowers it (n 400000, alpha 1e-3)") {
  const double limit = 3.29 * std::sqrt(0.25 / kMany);
  const Stream stream(5, 0, Purpose::user);
  for (const NoiseLaw law : {NoiseLaw::gaussian, NoiseLaw::laplacian, NoiseLaw::uniform}) {
    const double scale = scale_for_leakage(law, .5, 16);
    CHECK(flips(false, [&](auto& y) { add_noise(law, scale, stream, 0, y); }) == Approx(.5).margin(limit));
  }
  // 2 of 33 levels are ends and flip inwards only
  const double scale = scale_for_leakage(NoiseLaw::gaussian, .5, 16);
  const double clamped = flips(true, [&](auto& y) { add_noise(NoiseLaw::gaussian, scale, stream, 0, y); });
  CHECK(clamped == Approx(.5 * (1 - 1.0 / 33)).margin(limit));
}

TEST_CASE("noise of a row is the same in parts") {
  const Stream stream(5, 0, Purpose::user);
  for (const NoiseLaw law : {NoiseLaw::gaussian, NoiseLaw::laplacian, NoiseLaw::uniform}) {
    std::vector<float> whole(1000), parts(1000);
    add_noise(law, 0.1, stream, 7, whole);
    for (const auto& [first, size] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, 510}, {511, 489}})
      add_noise(law, 0.1, stream, 7, std::span(parts).subspan(first, size), first);
    CHECK(whole == parts);
  }
}

TEST_CASE("binomial noise has the variance |x| (1 - |x|) / n, keeps the sign, and knows no more than all carriers") {
  constexpr std::size_t kDraws = 40000;
  for (const float at : {-0.8f, 0.3f}) {
    std::vector<float> x(kDraws, at);
    binomial_noise(20, Stream(3, 0, Purpose::user), 0, x);
    double mean = 0, square = 0;
    for (const float v : x) mean += double(v) / kDraws;
    for (const float v : x) square += std::pow(double(v) - mean, 2) / kDraws;
    const double p = std::abs(double(at)), variance = p * (1 - p) / 20;
    // two-sided, 3.3 standard errors (alpha 1e-3 each), n = 40000, seed 3
    CHECK(mean == Approx(double(at)).margin(3.3 * std::sqrt(variance / kDraws)));
    CHECK(square == Approx(variance).epsilon(3.3 * std::sqrt(2.0 / kDraws)));
  }
  std::vector<float> ends{0, 1, -1};
  binomial_noise(7, Stream(3, 0, Purpose::user), 0, ends);
  CHECK(ends == std::vector<float>{0, 1, -1});
  std::vector<float> beyond{1.5f};
  CHECK_THROWS_AS(binomial_noise(7, Stream(3, 0, Purpose::user), 0, beyond), OutOfRange);
}

TEST_CASE("Poisson noise has the variance |x| / (s p) and keeps the sign") {
  std::vector<float> x(kMany, -1.0f);
  poisson_noise(4, 16, Stream(6, 0, Purpose::user), 0, x);
  double mean = 0, square = 0;
  for (const float value : x) {
    mean += static_cast<double>(value) / kMany;
    square += static_cast<double>(value) * static_cast<double>(value) / kMany;
  }
  CHECK(mean == Approx(-1).margin(4 * std::sqrt(.015625 / kMany)));
  CHECK(square - mean * mean == Approx(.015625).epsilon(4 * std::sqrt(2.0 / kMany)));
  const double flipped = flips(false, [&](auto& y) { poisson_noise(4, 16, Stream(7, 0, Purpose::user), 0, y); });
  CHECK(flipped > .660);  // .665 to .669 by how the values are spread
  CHECK(flipped < .674);
  std::vector<float> one(1, 1.0f);
  // at |x| = 1 counts of 64 that are none of 63 to 66, summed by hand
  double kept = 0;
  for (int n = 63; n <= 66; ++n) kept += std::exp(n * std::log(64.0) - 64 - std::lgamma(n + 1.0));
  CHECK(poisson_leakage(4, 16) == Approx(1 - kept).epsilon(1e-12));
  CHECK(poisson_leakage(4, 16) == Approx(.804).margin(.0005));  // AnalogVNN's largest
  std::vector<float> full(kMany, 1.0f);
  poisson_noise(4, 16, Stream(8, 0, Purpose::user), 0, full);
  reduce_precision(16, full);
  const double left = static_cast<double>(std::ranges::count_if(full, [](float v) { return v != 1.0f; })) / kMany;
  CHECK(left ==
        Approx(1 - kept).margin(4 * std::sqrt(kept * (1 - kept) / kMany)));  // two-sided, 4 sd, n = kMany, seed 8
  CHECK_THROWS_WITH(poisson_scale_for_leakage(.7, 1), Catch::Contains("at most 0.6485"));  // 1 - 4/3 exp(-4/3), s = 4/3
  CHECK_THROWS_AS(poisson_scale_for_leakage(0, 16), OutOfRange);
  CHECK_THROWS_AS(poisson_leakage(.01, 16), OutOfRange);
  CHECK_THROWS_AS(poisson_noise(0.01, 16, Stream(7, 0, Purpose::user), 0, one), OutOfRange);
}

TEST_CASE("Poisson noise has the leakage asked for at a root, and where its counts jump over that the nearest") {
  for (const auto& [leakage, precision] :
       {std::pair{.5, 16.0}, {.6, 3.0}, {.64, 1.0}, {.5, 2.3}, {1e-6, 4.0}, {.5, 1000.0}}) {
    INFO(leakage << " at " << precision);
    CHECK(poisson_leakage(poisson_scale_for_leakage(leakage, precision), precision) == Approx(leakage).epsilon(1.1e-5));
  }
  // Scales without a root: none of a fine grid of them comes nearer.
  for (const auto& [leakage, precision] :
       {std::pair{.5, 1.0}, {.3, 2.0}, {.9, 16.0}, {.1, 16.0}, {.7, 16.0}, {.05, 3.0}, {.4, 1.5}}) {
    const double found = poisson_leakage(poisson_scale_for_leakage(leakage, precision), precision);
    double nearest = 2;
    for (double s = 1 / precision + 1e-9; s < 400; s *= 1 + 1e-4)
      nearest = std::min(nearest, std::abs(poisson_leakage(s, precision) - leakage));
    INFO(leakage << " at " << precision << ": " << found);
    CHECK(std::abs(found - leakage) < nearest + 1e-5 * leakage);
  }
}

}  // namespace lightloop
