#include "sim/detection/converter.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "core/levels.hpp"
#include "core/random.hpp"

namespace lightloop {

TEST_CASE("seven bits driven symmetrically are 127 levels of step 2/126, all codes come back") {
  std::vector<std::uint8_t> codes(128), again(128);
  std::vector<float> values(128);
  for (int i = 0; i < 128; ++i) codes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
  from_codes(codes, 7, values);
  std::set<float> levels;
  for (std::size_t i = 1; i < 128; ++i) levels.insert(values[i] * 64 / 63);
  CHECK(levels.size() == 127);
  CHECK(*levels.begin() == -1.0f);
  CHECK(*levels.rbegin() == 1.0f);
  CHECK((*levels.rbegin() - *levels.begin()) / 126 == Approx(2.0 / 126));
  CHECK(to_codes(values, 7, 1.0, again) == 0);
  CHECK(codes == again);
}

TEST_CASE("the rounding error of a converter is its step / sqrt(12) (n 200000, seed 1)") {
  std::vector<float> y(200000), back(200000);
  std::vector<std::uint16_t> codes(200000);
  Stream(1, 0, Purpose::user).uniform(0, 0, y);
  for (float& value : y) value = 3.0f * (2 * value - 1);
  CHECK(to_codes(y, 9, 4.0, codes) == 0);
  from_codes(codes, 9, back);
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    sum += std::pow(4.0 * static_cast<double>(back[i]) - static_cast<double>(y[i]), 2);
  const double step = 4.0 / 256;
  CHECK(std::sqrt(sum / 200000) == Approx(step / std::sqrt(12)).epsilon(5e-3));  // s.e. of the rms: 1.0e-3
}

TEST_CASE("what lies beyond the range is clipped and counted, bends do what they say") {
  std::vector<float> y{-1.01f, -1, 0, 0.99f, 1.01f, std::numeric_limits<float>::quiet_NaN()};
  std::vector<std::uint8_t> codes(6);
  CHECK(to_codes(y, 8, 1.0, codes) == 3);
  CHECK(codes == std::vector<std::uint8_t>{0, 0, 128, 255, 255, 0});
  std::vector<float> bent{-2, -0.5f, 0, 3};
  s_shape(bent, 0.5f);
  CHECK(bent == std::vector<float>{-1, -0.4f, 0, 1.2f});
  asymmetry(bent, 0.1f);
  CHECK(bent[0] == Approx(-0.9));
  CHECK(bent[3] == 1.2f);
}

TEST_CASE("levels are k / h to both ends, their codes tell them apart, and what is beyond the last is counted") {
  std::vector<float> rounded{
      -1.2f, -1, -0.97f, -0.03f, 0.04f, 0.5f, 0.99f, 1.2f, std::numeric_limits<float>::quiet_NaN()};
  to_levels(rounded, 33);
  CHECK(rounded == std::vector<float>{-1, -1, -1, 0, 0.0625f, 0.5f, 1, 1, -1});

  const std::vector<float> ends{-1.1f, -1.03f, 0.0625f, 0.9375f, 1.03f, 1.04f};
  std::vector<std::uint16_t> of33(6);
  CHECK(to_codes(ends, 8, 33, 1.0, of33) == 2);  // beyond the last level by more than half a step
  CHECK(of33 == std::vector<std::uint16_t>{0, 0, 136, 248, 255, 255});

  for (const int bits : {3, 4, 8, 12})
    for (const Index levels : {most_levels(bits), most_levels(bits) - 1}) {  // as many as there may be, odd and even
      std::vector<float> all, back;
      const float half = static_cast<float>(levels - 1) / 2;
      for (Index i = 0; i < levels; ++i) all.push_back((static_cast<float>(i) - half) / half);
      std::vector<std::uint16_t> codes(all.size());
      back.resize(all.size());
      CHECK(to_codes(all, bits, levels, 1.0, codes) == 0);
      from_codes(codes, bits, back);
      to_levels(back, levels);  // what a DAC of as many levels makes of the codes
      CHECK(back == all);
      for (const float y : {-1.3f, -0.61f, -0.2f, 0.0f, 0.13f, 0.77f, 1.2f}) {  // as layers reckon with it
        float level = y;
        to_levels({&level, 1}, levels);
        CHECK(nearest_level(static_cast<double>(y), levels) == Approx(level).margin(1e-6));
      }
    }
}

TEST_CASE("an even number of levels has none at 0, and two of them are a sign") {
  std::vector<float> of4{-1.3f, -0.7f, -0.6f, -0.1f, 0, 0.1f, 0.6f, 0.7f, 1.3f}, of2 = of4;
  to_levels(of4, 4);
  const float third = 0.5f / 1.5f;
  CHECK(of4 == std::vector<float>{-1, -1, -third, -third, third, third, third, 1, 1});
  to_levels(of2, 2);
  CHECK(of2 == std::vector<float>{-1, -1, -1, -1, 1, 1, 1, 1, 1});
  const std::vector<float> ends{-2.7f, -2.6f, 2.6f, 2.7f};  // half a step beyond the last level at 2 is 2.667
  std::vector<std::uint8_t> codes(4);
  CHECK(to_codes(ends, 8, 4, 2.0, codes) == 2);
  CHECK(codes == std::vector<std::uint8_t>{0, 0, 255, 255});
}

// Null: mean y, variance f (1 - f) steps^2 with f the part of a step above the code below. n 20000, alpha 1e-3, seed 3.
TEST_CASE("codes and levels rounded at random are right on average") {
  const std::size_t n = 20000;
  std::vector<float> u(n), y(n);
  Stream(3, 0, Purpose::user).uniform(0, 0, u);
  std::vector<std::uint8_t> narrow(n);
  std::vector<std::uint16_t> codes(n);
  const auto check = [&](double found, double square, double exact, double step) {
    const double f = exact / step - std::floor(exact / step), variance = f * (1 - f) * step * step;
    CHECK(std::abs(found - exact) < 4 * std::sqrt(variance / static_cast<double>(n)) + 1e-6);
    CHECK(square - found * found ==
          Approx(variance).margin(4 * std::abs(1 - 2 * f) * std::sqrt(f * (1 - f) / n) * step * step +
                                  20 * variance / n + 1e-6));
  };
  for (const double value : {-0.93, -0.3001, 0.0, 0.21, 0.4375}) {
    INFO("value " << value);
    std::ranges::fill(y, static_cast<float>(value));
    CHECK(to_codes(y, 5, 1.0, codes, u) == 0);
    CHECK(to_codes(y, 5, 1.0, narrow, u) == 0);
    CHECK(std::ranges::equal(codes, narrow));
    double sum = 0, square = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double back = codes[i] / 16.0 - 1;
      sum += back / static_cast<double>(n);
      square += back * back / static_cast<double>(n);
    }
    check(sum, square, value, 1.0 / 16);
    for (const Index levels :
         {Index{9}, Index{8}}) {  // between levels of an even number the step begins at half of one
      std::ranges::fill(y, static_cast<float>(value));
      CHECK(to_codes(y, 16, levels, 1.0, codes, u) == 0);
      to_levels(y, levels, u);
      const double step = 2.0 / static_cast<double>(levels - 1), shift = levels == 8 ? step / 2 : 0;
      double of_levels = 0, of_squares = 0, most = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double level = static_cast<double>(y[i]) + shift;
        of_levels += level / static_cast<double>(n);
        of_squares += level * level / static_cast<double>(n);
        most = std::max(most, std::abs(codes[i] / 32768.0 - 1 - static_cast<double>(y[i])));
      }
      check(of_levels, of_squares, value + shift, step);
      CHECK(most <= 1.0 / 32768);  // the codes are those of the levels
    }
  }
  std::ranges::fill(y, 0.96875f);  // half a step above the highest code: clipped as often as it is rounded up
  CHECK(std::abs(static_cast<double>(to_codes(y, 5, 1.0, codes, u)) - 10000) < 3.29 * std::sqrt(5000.0));
  std::ranges::fill(y, -1.25f);  // a level's whole step below the last
  CHECK(to_codes(y, 8, 9, 1.0, codes, u) == 20000);
}

TEST_CASE("the bits of a number of levels") {
  CHECK(level_bits(8, 0) == 8);
  CHECK(level_bits(8, 2) == 1);
  CHECK(level_bits(8, 32) == 5);
  CHECK(level_bits(8, 33) == 6);
  CHECK(level_bits(16, 65536) == 16);
}

}  // namespace lightloop
