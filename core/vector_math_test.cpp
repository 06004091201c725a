#include "core/vector_math.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/elementary.hpp"
#include "core/error.hpp"

using namespace lightloop;

namespace {

using Bulk = void (*)(std::span<const float>, std::span<float>);

/// Largest error in units of the last place over every 997th float in [low, high] of either sign.
double worst_ulp(Bulk bulk, double (*exact)(double), float low, float high) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 997) {
    const float v = elementary::from_bits(static_cast<std::uint32_t>(bits));
    if (v >= low && v <= high) x.push_back(v);
  }
  std::vector<float> y(x.size());
  bulk(x, y);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = exact(static_cast<double>(x[i]));
    const double ulp = std::ldexp(1., std::max(-149, (e == 0 ? -149 : std::ilogb(e)) - 23));
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - e) / ulp);
  }
  return worst;
}

}  // namespace

TEST_CASE("elementwise functions are within 3 ulp of double precision over their whole range", "[law]") {
  CHECK(worst_ulp(
            vector_exp, [](double x) { return std::exp(x); }, -110.f, 88.72f) < 1.5);
  CHECK(worst_ulp(
            vector_log, [](double x) { return std::log(x); }, 1e-45f, 3.4e38f) < 1.5);
  CHECK(worst_ulp(
            vector_tanh, [](double x) { return std::tanh(x); }, -1e38f, 1e38f) < 3);
  CHECK(worst_ulp(
            vector_sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -103.f, 1e38f) < 3);
  CHECK(worst_ulp(
            vector_elu, [](double x) { return x > 0 ? x : std::expm1(x); }, -1e38f, 1e38f) < 3);
  CHECK(worst_ulp(
            vector_cos, [](double x) { return std::cos(x); }, -1e38f, 1e38f) < 2);
  CHECK(worst_ulp(
            vector_sin, [](double x) { return std::sin(x); }, -1e38f, 1e38f) < 2);
}

TEST_CASE("special arguments give the values of the limit") {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const auto at = [](Bulk f, float x) {
    f({&x, 1}, {&x, 1});
    return x;
  };
  CHECK(at(vector_exp, 0) == 1);
  CHECK(at(vector_exp, kInf) == kInf);
  CHECK(at(vector_exp, 89.f) == kInf);
  CHECK(at(vector_exp, -kInf) == 0);
  CHECK(at(vector_tanh, kInf) == 1);
  CHECK(at(vector_tanh, -kInf) == -1);
  CHECK((at(vector_tanh, -0.f) == 0 && std::signbit(at(vector_tanh, -0.f))));
  CHECK(at(vector_sigmoid, kInf) == 1);
  CHECK(at(vector_sigmoid, -kInf) == 0);
  CHECK(at(vector_elu, kInf) == kInf);
  CHECK(at(vector_elu, -kInf) == -1);
  CHECK(at(vector_log, 0) == -kInf);
  CHECK(at(vector_log, kInf) == kInf);
  CHECK(std::isnan(at(vector_log, -1)));
  CHECK(std::abs(at(vector_cos, 0x1.921fb6p0f) - -4.371139e-8f) < 1e-14f);  // the float next to pi / 2
  for (const Bulk f : {vector_cos, vector_sin}) CHECK(std::isnan(at(f, kInf)));
  for (const Bulk f : {vector_exp, vector_tanh, vector_sigmoid, vector_elu, vector_log, vector_cos, vector_sin})
    CHECK(std::isnan(at(f, kNan)));
}

TEST_CASE("an element's bits do not depend on position, length or alignment") {
  std::vector<float> x(517), whole(x.size()), part(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 6 * std::sin(static_cast<float>(i) * 1.7f);
  x[100] = 3e6f;  // an angle for the standard library
  for (const Bulk f : {vector_exp, vector_tanh, vector_sigmoid, vector_elu, vector_log, vector_cos, vector_sin}) {
    f(x, whole);
    for (const std::size_t step : {1u, 3u, 7u, 63u, 64u, 65u, 200u}) {
      for (std::size_t i = 0; i < x.size(); i += step) {
        const auto n = std::min(step, x.size() - i);
        f(std::span(x).subspan(i, n), std::span(part).subspan(i, n));
      }
      REQUIRE(std::memcmp(whole.data(), part.data(), x.size() * sizeof(float)) == 0);
    }
    part = x;
    f(part, part);
    REQUIRE(std::memcmp(whole.data(), part.data(), x.size() * sizeof(float)) == 0);
  }
  REQUIRE_THROWS_AS(vector_tanh(x, std::span(part).first(3)), ShapeMismatch);
}
