#include "devices/read_law.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/leakage.hpp"
#include "core/stats.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kDraws = 40000;
constexpr double kOneOfMany = 4.4;  // standard errors: alpha 1e-5 each

std::vector<float> draws(ReadLaw law, double sd, double full, float x) {
  std::vector<float> y(kDraws, x);
  read_noisily(law, sd, full, Stream(5, 0, Purpose::user), 7, y);
  return y;
}

}  // namespace

// Null: mean |x|, variance sd^2 |x| (poisson), sd^2 |x| (1 - |x| / full) (binomial, full / sd^2 whole). Two-sided, n
// 40000 per case, 4.4 standard errors, the variance's with the law's own fourth moment; 18 x 2 of them: alpha 4e-4.
TEST_CASE("counted carriers are right on average and vary as their law says, whatever the sign and full scale") {
  for (const double full : {1.0, 4.0})
    for (const float x : {0.3f, -0.9f, 1.0f})
      for (const double sd : {0.5, 0.1, 0.02}) {
        for (const ReadLaw law : {ReadLaw::poisson, ReadLaw::binomial}) {
          INFO(kReadLaws[static_cast<int>(law)] << " " << full << " " << x << " " << sd);
          const double size = std::abs(double(x)), part = law == ReadLaw::binomial ? size / full : 0,
                       variance = sd * sd * size * (1 - part);
          const std::vector<float> y = draws(law, sd, full, x);
          const Moments m = moments(y);
          CHECK(std::abs(m.mean - double(x)) <= kOneOfMany * std::sqrt(variance / kDraws) + 1e-6);
          // excess kurtosis of carriers: (1 - 6 p q) / (n p q)
          const double q = 1 - part, count = size / (sd * sd);
          const double excess = q > 0 ? (1 - 6 * part * q) / (count * q) : 0;
          CHECK(std::abs(m.variance - variance) <= kOneOfMany * variance * std::sqrt((2 + excess) / kDraws) + 1e-9);
        }
      }
}

TEST_CASE("carriers are whole: levels sd^2 apart, none of no signal, and none left to chance at full scale") {
  for (const float y : draws(ReadLaw::poisson, 0.5, 1, 0.6f)) CHECK(std::fmod(double(y), 0.25) == 0);
  for (const float y : draws(ReadLaw::binomial, 0.5, 2, -0.6f)) {
    CHECK(std::fmod(double(y), 0.25) == 0);
    CHECK(y <= 0);
    CHECK(y >= -2);
  }
  for (const ReadLaw law : {ReadLaw::poisson, ReadLaw::binomial})
    for (const float y : draws(law, 0.3, 1, 0)) CHECK(y == 0);
  for (const float x : {2.0f, -2.0f, 3.5f})
    for (const float y : draws(ReadLaw::binomial, 0.3, 2, x)) CHECK(y == x);
  for (const ReadLaw law : {ReadLaw::poisson, ReadLaw::binomial})  // more carriers than floats tell apart
    for (const float y : draws(law, 1e-9, 1, 0.7f)) CHECK(y == Approx(0.7f).epsilon(2e-7));
}

// Null: the part of values of 1 that leave their level is the leakage. Two-sided, n 40000, 4.4 standard errors.
TEST_CASE("poisson noise of the scale for a leakage leaks so much at full scale, as the noise words of networks do") {
  for (const double precision : {4.0, 16.0}) {
    const double s = poisson_scale_for_leakage(0.3, precision), leakage = poisson_leakage(s, precision);
    std::vector<float> y = draws(ReadLaw::poisson, 1 / std::sqrt(s * precision), 1, 1.0f);
    reduce_precision(precision, y);
    double left = 0;
    for (const float value : y) left += value != 1.0f;
    left /= kDraws;
    CHECK(std::abs(left - leakage) < kOneOfMany * std::sqrt(leakage * (1 - leakage) / kDraws) + 1e-4);
  }
}

TEST_CASE("laws of their own strength are those of core/leakage.hpp to the bit, and columns are those of the row") {
  const Stream stream(5, 0, Purpose::user);
  for (const ReadLaw law :
       {ReadLaw::gaussian, ReadLaw::laplacian, ReadLaw::uniform, ReadLaw::poisson, ReadLaw::binomial}) {
    std::vector<float> whole(600, 0.4f), parts(whole), of_core(whole);
    read_noisily(law, 0.1, 1, stream, 3, whole);
    read_noisily(law, 0.1, 1, stream, 3, std::span(parts).first(256));
    read_noisily(law, 0.1, 1, stream, 3, std::span(parts).subspan(256), 256);
    CHECK(whole == parts);
    if (counts_carriers(law)) continue;
    const auto same = static_cast<NoiseLaw>(law);
    add_noise(same, 0.1 / standard_deviation(same, 1), stream, 3, of_core);
    CHECK(whole == of_core);
  }
}

}  // namespace lightloop
