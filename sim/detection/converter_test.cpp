#include "sim/detection/converter.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

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

}  // namespace lightloop
