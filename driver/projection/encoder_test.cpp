#include "driver/projection/encoder.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"

using namespace lightloop;

namespace {

std::vector<float> decode(const Encoder& encoder, std::size_t n) {
  std::vector<float> value(n);
  for (Index k = 0; k < encoder.encoding().patterns(); ++k)
    for (std::size_t i = 0; i < n; ++i)
      value[i] += encoder.scale() * encoder.weight(k) * static_cast<float>(encoder.pattern(k)[i]);
  return value;
}

std::vector<float> normals(std::uint64_t row, std::size_t n) {
  std::vector<float> x(n);
  Stream(5, 0, Purpose::user).normal(row, 0, x);
  return x;
}

}  // namespace

TEST_CASE("ternary code is the sign outside the dead zone") {
  const std::vector<float> x{0.5f, -0.5f, 0.1f, -0.1f, 0.0f, 0.11f, -0.11f};
  std::vector<float> t(x.size());
  ternary(x, 0.1f, t);
  CHECK(t == std::vector<float>{1, -1, 0, 0, 0, 1, -1});
  ternary(x, 0, t);
  CHECK(t == std::vector<float>{1, -1, 1, -1, 0, 1, -1});
  CHECK_THROWS_AS(ternary(x, 0, std::span(t).first(2)), ShapeMismatch);
}

TEST_CASE("the ternary encoder shows what ternary() says, positive part first") {
  Encoder encoder(parse_encoding("ternary"), 50);
  const auto x = normals(0, 50);
  std::vector<float> t(50);
  ternary(x, 0.1f, t);
  encoder.encode(x);
  CHECK(decode(encoder, 50) == t);
  CHECK(encoder.weight(0) == 1);
  CHECK(encoder.weight(1) == -1);
  const std::vector<float> positive(50, 0.2f);
  encoder.encode(positive);
  CHECK_FALSE(encoder.empty(0));
  CHECK(encoder.empty(1));
}

TEST_CASE("cosine of a Gaussian vector with its ternary code is 2 phi(t) / sqrt(2 Q(t))") {
  // t = 0.612: the best dead zone, 0.900; standard error of a cosine over n = 40000 is below 0.3 / sqrt(n) = 0.0015.
  const auto x = normals(1, 40000);
  std::vector<float> t(x.size());
  for (const auto& [zone, expected] : {std::pair{0.612, 0.900}, std::pair{0.0, 0.798}, std::pair{1.0, 0.859}}) {
    ternary(x, static_cast<float>(zone), t);
    double xt = 0, xx = 0, tt = 0;
    for (std::size_t i = 0; i < x.size(); ++i) xt += x[i] * t[i], xx += x[i] * x[i], tt += t[i] * t[i];
    CHECK(std::abs(xt / std::sqrt(xx * tt) - expected) < 0.006);  // 4 standard errors
  }
}

TEST_CASE("bit planes put a vector together to within half a step") {
  for (const int bits : {1, 3, 6, 12}) {
    Encoder encoder(parse_encoding("bitplanes:" + std::to_string(bits)), 64);
    CHECK(encoder.encoding().patterns() == 2 * bits);
    const auto x = normals(2, 64);
    encoder.encode(x);
    const auto back = decode(encoder, 64);
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < 64; ++i) largest = std::max(largest, std::abs(x[i]));
    for (std::size_t i = 0; i < 64; ++i) worst = std::max(worst, std::abs(x[i] - back[i]));
    const float half = largest / 2 / static_cast<float>((1 << bits) - 1);
    CHECK(worst <= 1.0001f * half);
    CHECK(worst > 0.5f * half);  // and the bound is nearly met, so the planes are all used
    for (Index k = 0; k < 2 * bits; ++k)
      CHECK(encoder.weight(k) == std::ldexp(k % 2 ? -1.0f : 1.0f, bits - 1 - static_cast<int>(k) / 2));
  }
}

TEST_CASE("bit planes of a ternary vector are exact and of a zero vector empty") {
  Encoder encoder(parse_encoding("bitplanes:4"), 5);
  const std::vector<float> x{1, 0, -1, 0, 1}, zero(5);
  encoder.encode(x);
  const auto back = decode(encoder, 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(back[i] == Approx(x[i]).margin(1e-6));
  encoder.encode(zero);
  for (Index k = 0; k < 8; ++k) CHECK(encoder.empty(k));
}

TEST_CASE("threshold shows one pattern") {
  Encoding encoding = parse_encoding("threshold");
  encoding.dead_zone = 25;
  Encoder encoder(encoding, 4);
  encoder.encode(std::vector<float>{25, 26, -100, 255});
  CHECK(encoding.patterns() == 1);
  CHECK(decode(encoder, 4) == std::vector<float>{0, 1, 0, 1});
}

TEST_CASE("error feedback keeps the sum over rows and is off by default") {
  CHECK(Encoder(Encoding{}, 3).residual().empty());
  Encoding encoding;
  encoding.feedback = true;
  encoding.dead_zone = 0.5f;
  Encoder encoder(encoding, 3);
  const std::vector<float> x{0.3f, -0.2f, 0.9f};
  std::vector<double> sum(3);
  for (int n = 1; n <= 200; ++n) {
    encoder.encode(x);
    const auto code = decode(encoder, 3);
    for (std::size_t i = 0; i < 3; ++i) {
      sum[i] += code[i];
      CHECK(std::abs(sum[i] - n * static_cast<double>(x[i])) <
            0.51);  // the residual of |x| < 1 with levels 0 and 1 is at most 1/2
    }
  }
}

TEST_CASE("what cannot be coded is refused with its place") {
  Encoding encoding = parse_encoding("bitplanes:2");
  encoding.full_scale = 1;
  Encoder encoder(encoding, 2);
  Matrix<float> x(2, 2);
  CHECK_NOTHROW(encoder.check(x));
  x(1, 0) = 1.5f;
  CHECK_THROWS_WITH(encoder.check(x), Catch::Contains("row 1, column 0") && Catch::Contains("full_scale"));
  x(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(encoder.check(x), Catch::Contains("row 1, column 0") && Catch::Contains("nan"));
  x(1, 0) = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(encoder.check(x), InvalidParameter);
  for (const char* text : {"bitplanes", "bitplanes:", "bitplanes:0", "bitplanes:13", "bitplanes:6x", "terniary", ""})
    CHECK_THROWS_AS(parse_encoding(text), InvalidParameter);
}
