#include "driver/layer/range_window.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

namespace lightloop {

TEST_CASE("a running range is the largest size of the first window and follows a change by powers of its memory") {
  const RangeLaw law{4, 100, 0.8, 1};
  RangeWindow window;
  const auto show = [&](std::initializer_list<double> sizes) {
    int moved = 0;
    for (const double size : sizes) moved += window.add(size, law);
    return moved;
  };
  CHECK(show({1, 3, 2}) == 0);
  CHECK(window.range == 0);
  CHECK(show({0.5}) == 1);
  CHECK(window.range == 3);
  for (int k = 1; k <= 20; ++k) {
    CHECK(show({0.1, 1, 0.2, 0.3}) == 1);
    CHECK(window.range == Approx(1 + 2 * std::pow(0.8, k)).epsilon(1e-12));
  }
  const double before = window.range;
  CHECK(show({0, 0, 0, 0}) == 0);
  CHECK(window.range == before);
}

TEST_CASE("a converter that reads its own end grows by a law of its headroom until it holds all") {
  const RangeLaw law{1, 100, 0.6, 1.25};
  RangeWindow window;
  const double size = 50;
  window.add(1, law);
  CHECK(window.range == 1.25);
  double expected = 1.25;
  while (expected < size) {
    expected *= 1 + 0.4 * 0.25;
    window.add(std::min(size, window.range), law);
    CHECK(window.range == Approx(expected).epsilon(1e-12));
  }
  for (int k = 0; k < 100; ++k) window.add(std::min(size, window.range), law);
  CHECK(window.range == Approx(1.25 * size).epsilon(1e-12));
}

TEST_CASE("the size of a row is the percentile of the sizes of its numbers by nearest rank") {
  std::vector<float> x;
  for (int i = 1; i <= 1000; ++i) x.push_back(static_cast<float>(i % 2 == 0 ? i : -i));
  std::reverse(x.begin(), x.end());
  CHECK(percentile_size(x, 100) == 1000);
  CHECK(percentile_size(x, 99.9) == 999);
  CHECK(percentile_size(x, 99) == 990);
  CHECK(percentile_size(x, 50) == 500);
  CHECK(percentile_size(x, 0.001) == 1);
  CHECK(percentile_size({}, 50) == 0);
}

}  // namespace lightloop
