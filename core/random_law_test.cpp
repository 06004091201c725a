// The draws follow their laws. Every p-value is that of a two-sided test of the null "the draws follow the stated law"
// unless it says otherwise; alpha = 1e-4 per test; the seed is fixed at kSeed, so a failure is a change of the code.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/stats.hpp"

using namespace lightloop;

namespace {

constexpr double kAlpha = 1e-4;
constexpr std::uint64_t kSeed = 2026;
constexpr std::size_t kMany = 1 << 22;

/// p-value of a count of `hits` in n trials of probability p, by the normal limit.
double count_p_value(double hits, double n, double p) {
  return normal_p_value((hits - n * p) / std::sqrt(n * p * (1 - p)));
}

double log_pmf_poisson(double k, double m) { return k * std::log(m) - m - std::lgamma(k + 1); }

/// Chi-square p-value of integer draws against a law; counts expected fewer than 10 times are pooled at both ends.
template <class LogPmf>
double law_p_value(std::span<const float> draws, double low, double high, LogPmf log_pmf) {
  const auto n = static_cast<double>(draws.size());
  std::vector<double> seen(static_cast<std::size_t>(high - low) + 1), expected(seen.size());
  double beyond = 0;
  for (const float d : draws) {
    const double k = static_cast<double>(d);
    if (k < low || k > high)
      ++beyond;
    else
      ++seen[static_cast<std::size_t>(k - low)];
  }
  double total = 0;
  for (std::size_t i = 0; i < seen.size(); ++i)
    total += expected[i] = n * std::exp(log_pmf(low + static_cast<double>(i)));
  std::vector<double> bins_seen{beyond}, bins_expected{std::max(0., n - total)};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (bins_expected.back() >= 10) {
      bins_seen.push_back(0);
      bins_expected.push_back(0);
    }
    bins_seen.back() += seen[i];
    bins_expected.back() += expected[i];
  }
  if (bins_seen.size() > 1 && bins_expected.back() < 10) {
    bins_seen[bins_seen.size() - 2] += bins_seen.back();
    bins_expected[bins_expected.size() - 2] += bins_expected.back();
    bins_seen.pop_back();
    bins_expected.pop_back();
  }
  return chi_square_p_value(chi_square(bins_seen, bins_expected), static_cast<double>(bins_seen.size() - 1));
}

void check_poisson_moments(std::span<const float> draws, double m) {
  const auto n = static_cast<double>(draws.size());
  const auto s = moments(draws);
  INFO("mean " << m << " sample " << s.mean << " " << s.variance << " " << s.skewness << " " << s.kurtosis);
  CHECK(normal_p_value((s.mean - m) / std::sqrt(m / n)) > kAlpha);
  CHECK(normal_p_value((s.variance - m) / std::sqrt((m + 2 * m * m) / n)) > kAlpha);  // var of k2: (k4 + 2 k2^2) / n
  if (m >= 5) {  // nearly normal, so that the standard errors sqrt(6 / n) and sqrt(24 / n) hold to a few per cent
    CHECK(normal_p_value((s.skewness - 1 / std::sqrt(m)) / std::sqrt(6 * (1 + 3 / m) / n)) > kAlpha);
    CHECK(normal_p_value((s.kurtosis - 1 / m) / std::sqrt(24 * (1 + 12 / m) / n)) > kAlpha);
  }
}

}  // namespace

TEST_CASE("4 M normal draws have the moments, tails and distribution of the standard normal", "[law]") {
  std::vector<float> z(kMany);
  Stream(kSeed, 0, Purpose::user).normal(0, 0, z);
  const auto n = static_cast<double>(z.size());
  const auto s = moments(z);
  CHECK(normal_p_value(s.mean * std::sqrt(n)) > kAlpha);
  CHECK(normal_p_value((s.variance - 1) * std::sqrt(n / 2)) > kAlpha);
  CHECK(normal_p_value(s.skewness * std::sqrt(n / 6)) > kAlpha);
  CHECK(normal_p_value(s.kurtosis * std::sqrt(n / 24)) > kAlpha);
  for (const double limit : {1., 2., 3., 4.}) {
    const auto hits =
        std::count_if(z.begin(), z.end(), [&](float x) { return std::abs(static_cast<double>(x)) > limit; });
    INFO("|z| > " << limit << ": " << hits);
    CHECK(count_p_value(static_cast<double>(hits), n, normal_p_value(limit)) > kAlpha);
  }
  // 2.4 expected beyond 5: exact Poisson tails, P(0) = 0.09 so only too many can be refused; P(N >= 13) = 2e-6
  CHECK(std::count_if(z.begin(), z.end(), [](float x) { return std::abs(x) > 5; }) < 13);
  CHECK(ks_p_value(ks_statistic(z, normal_cdf), n) > kAlpha);
}

TEST_CASE("the normal transform reaches the far tails", "[law]") {
  // 64 M draws in blocks: 36.8 expected beyond |z| = 5 (Poisson)
  std::vector<float> z(1 << 20);
  double hits = 0;
  const Stream s(kSeed, 1, Purpose::user);
  for (std::uint64_t row = 0; row < 64; ++row) {
    s.normal(row, 0, z);
    hits += static_cast<double>(std::count_if(z.begin(), z.end(), [](float x) { return std::abs(x) > 5; }));
  }
  CHECK(count_p_value(hits, 64. * (1 << 20), normal_p_value(5)) > kAlpha);
}

TEST_CASE("4 M uniform draws are uniform on the open unit interval, bit by bit") {
  std::vector<float> u(kMany);
  const Stream s(kSeed, 2, Purpose::user);
  s.uniform(0, 0, u);
  CHECK(*std::min_element(u.begin(), u.end()) > 0);
  CHECK(*std::max_element(u.begin(), u.end()) < 1);
  const auto n = static_cast<double>(u.size());
  CHECK(normal_p_value((moments(u).mean - 0.5) * std::sqrt(12 * n)) > kAlpha);
  CHECK(ks_p_value(ks_statistic(u, [](double x) { return x; }), n) > kAlpha);
  std::vector<std::uint32_t> w(1 << 20);
  s.words(1, 0, w);
  for (int bit = 0; bit < 32; ++bit) {
    const auto ones = std::count_if(w.begin(), w.end(), [&](std::uint32_t x) { return (x >> bit & 1) != 0; });
    CHECK(count_p_value(static_cast<double>(ones), static_cast<double>(w.size()), 0.5) > kAlpha);
  }
}

TEST_CASE("double draws follow their laws and share nothing with the float draws") {
  const Stream s(kSeed, 3, Purpose::user);
  std::vector<float> u(200000), z(u.size()), fu(u.size());
  for (std::size_t i = 0; i < u.size(); ++i) {
    u[i] = static_cast<float>(s.uniform(9, i));
    z[i] = static_cast<float>(s.normal(9, i));
  }
  s.uniform(9, 0, fu);
  const auto n = static_cast<double>(u.size());
  CHECK(normal_p_value(correlation(u, z) * std::sqrt(n)) > kAlpha);
  CHECK(normal_p_value(correlation(u, fu) * std::sqrt(n)) > kAlpha);
  CHECK(ks_p_value(ks_statistic(u, [](double x) { return x; }), n) > kAlpha);
  CHECK(ks_p_value(ks_statistic(z, normal_cdf), n) > kAlpha);
}

TEST_CASE("exact Poisson draws follow the Poisson law at small, middle and large means", "[law]") {
  for (const double m : {0.01, 0.5, 3., 9.99, 10., 30., 300., 1e4}) {
    const std::size_t n = 1 << 18;
    std::vector<float> mean(n, static_cast<float>(m)), k(n);
    Stream(kSeed, 4, Purpose::user).poisson(static_cast<std::uint64_t>(100 * m), 0, mean, k);
    const double exact = static_cast<double>(mean[0]), reach = 6 * std::sqrt(m) + 6;
    INFO("mean " << m);
    CHECK(law_p_value(k, std::max(0., std::floor(m - reach)), std::ceil(m + reach),
                      [&](double x) { return log_pmf_poisson(x, exact); }) > kAlpha);
    check_poisson_moments(k, exact);
  }
  std::vector<float> zero(100, 0.f), k(100, 1.f);
  Stream(kSeed, 4, Purpose::user).poisson(0, 0, zero, k);
  CHECK(std::all_of(k.begin(), k.end(), [](float x) { return x == 0; }));
}

TEST_CASE("4 M fast Poisson draws cannot be told from the Poisson law") {
  for (const double m : {32., 33.7, 100., 5000.}) {
    std::vector<float> mean(kMany, static_cast<float>(m)), k(kMany);
    Stream(kSeed, 5, Purpose::user).poisson_fast(static_cast<std::uint64_t>(m), 0, mean, k);
    const double exact = static_cast<double>(mean[0]), reach = 6 * std::sqrt(m) + 6;
    INFO("mean " << m);
    CHECK(law_p_value(k, std::max(0., std::floor(m - reach)), std::ceil(m + reach),
                      [&](double x) { return log_pmf_poisson(x, exact); }) > kAlpha);
    check_poisson_moments(k, exact);
  }
}

TEST_CASE("fast Poisson equals the exact sampler below 32 and does not depend on how a call is split") {
  const Stream s(kSeed, 6, Purpose::user);
  std::vector<float> mean(1000), fast(1000), exact(1000), part(1000);
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = static_cast<float>(i % 97) * 0.7f;
  s.poisson_fast(3, 5, mean, fast);
  s.poisson(3, 5, mean, exact);
  for (std::size_t i = 0; i < mean.size(); ++i)
    if (mean[i] < 32) REQUIRE(fast[i] == exact[i]);
  for (const std::size_t step : {1u, 7u, 63u, 64u, 100u}) {
    for (std::size_t i = 0; i < mean.size(); i += step) {
      const auto n = std::min(step, mean.size() - i);
      s.poisson_fast(3, 5 + i, std::span(mean).subspan(i, n), std::span(part).subspan(i, n));
    }
    REQUIRE(part == fast);
    for (std::size_t i = 0; i < mean.size(); i += step) {
      const auto n = std::min(step, mean.size() - i);
      s.poisson(3, 5 + i, std::span(mean).subspan(i, n), std::span(part).subspan(i, n));
    }
    REQUIRE(part == exact);
  }
}

TEST_CASE("binomial draws follow the binomial law") {
  struct Law {
    std::uint64_t trials;
    double p;
  };
  for (const auto [trials, p] :
       {Law{1, 0.3}, Law{20, 0.5}, Law{20, 0.97}, Law{1000, 0.004}, Law{1000, 0.3}, Law{100000, 0.8}}) {
    std::vector<float> k(1 << 17);
    const Stream s(kSeed, 7, Purpose::user);
    for (std::size_t i = 0; i < k.size(); ++i) k[i] = static_cast<float>(s.binomial(trials, i, trials, p));
    const auto n = static_cast<double>(trials);
    const double reach = 6 * std::sqrt(n * p * (1 - p)) + 6;
    INFO("n " << trials << " p " << p);
    CHECK(law_p_value(k, std::max(0., std::floor(n * p - reach)), std::min(n, std::ceil(n * p + reach)), [&](double x) {
            return std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + x * std::log(p) +
                   (n - x) * std::log1p(-p);
          }) > kAlpha);
  }
  const Stream s(kSeed, 7, Purpose::user);
  CHECK(s.binomial(0, 0, 50, 0) == 0);
  CHECK(s.binomial(0, 0, 50, 1) == 50);
  CHECK(s.binomial(0, 0, 0, 0.5) == 0);
}

TEST_CASE("permutations hold every number once and every order is equally likely") {
  const Stream s(kSeed, 8, Purpose::batch_order);
  std::vector<std::uint32_t> p(1000);
  s.permutation(0, p);
  std::sort(p.begin(), p.end());
  for (std::uint32_t i = 0; i < p.size(); ++i) REQUIRE(p[i] == i);
  std::vector<double> seen(24), expected(24, 2000);  // 4! orders, 48000 permutations, chi-square
  for (std::uint64_t row = 0; row < 48000; ++row) {
    std::array<std::uint32_t, 4> q{};
    s.permutation(row, q);
    ++seen[q[0] * 6 + (q[1] - (q[1] > q[0] ? 1 : 0)) * 2 + (q[2] > q[3] ? 1 : 0)];  // number of the order
  }
  CHECK(chi_square_p_value(chi_square(seen, expected), 23) > kAlpha);
}

TEST_CASE("streams of other seeds, instances, purposes and rows are uncorrelated") {
  constexpr std::size_t kLength = 1 << 18;
  const auto normals = [](std::uint64_t seed, std::uint64_t instance, Purpose purpose, std::uint64_t row) {
    std::vector<float> z(kLength);
    Stream(seed, instance, purpose).normal(row, 0, z);
    return z;
  };
  const auto base = normals(kSeed, 0, Purpose::user, 0);
  const std::array others{normals(kSeed + 1, 0, Purpose::user, 0), normals(kSeed, 1, Purpose::user, 0),
                          normals(kSeed, 0, Purpose::camera_shot, 0), normals(kSeed, 0, Purpose::user, 1),
                          normals(kSeed, 0, Purpose::user, std::uint64_t{1} << 32)};
  for (const auto& other : others)
    CHECK(normal_p_value(correlation(base, other) * std::sqrt(static_cast<double>(kLength))) > kAlpha);
  for (const std::size_t lag : {1u, 2u, 3u, 4u, 64u})  // within one row
    CHECK(normal_p_value(correlation(std::span(base).first(kLength - lag), std::span(base).subspan(lag)) *
                         std::sqrt(static_cast<double>(kLength - lag))) > kAlpha);
}

TEST_CASE("arguments outside their range are refused") {
  const Stream s(kSeed, 0, Purpose::user);
  std::vector<float> one(1), out(1), two(2);
  for (const float bad : {-1.f, std::nanf(""), 1e16f}) {
    one[0] = bad;
    CHECK_THROWS_AS(s.poisson(0, 0, one, out), OutOfRange);
    CHECK_THROWS_AS(s.poisson_fast(0, 0, one, out), OutOfRange);
  }
  CHECK_THROWS_AS(s.poisson(0, 0, two, out), ShapeMismatch);
  CHECK_THROWS_AS(s.binomial(0, 0, 5, 1.5), OutOfRange);
  CHECK_THROWS_AS(s.normal(0, std::uint64_t{1} << 34, out), OutOfRange);
  CHECK_THROWS_AS(s.uniform(0, std::uint64_t{1} << 32), OutOfRange);
}
