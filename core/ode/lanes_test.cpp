#include "core/ode/lanes.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/denormals.hpp"

namespace lightloop {
namespace {

template <class V>
void iterate(V& x, V& y, const V& a) {
  for (int i = 0; i < 1000; ++i) {
    const V next = root_of_positive(a * x * x + y) / (a + x);
    y = x * next - a;
    x = next;
  }
}

template <class T, int n>
bool lanes_are_scalars() {
  T first[n], second[n], third[n];
  for (int i = 0; i < n; ++i) {
    first[i] = T(0.3) + T(0.1) * T(i);
    second[i] = T(1.5) - T(0.07) * T(i);
    third[i] = T(1.1) + T(0.013) * T(i);
  }
  using Many = LanesOf<Lanes<T, n>>;
  auto x = Many::load(first), y = Many::load(second);
  iterate(x, y, Many::load(third));
  bool equal = true;
  for (int i = 0; i < n; ++i) {
    T one = first[i], other = second[i];
    iterate(one, other, third[i]);
    equal &= x.v[i] == one && y.v[i] == other && std::isfinite(one);
  }
  return equal;
}

}  // namespace

TEST_CASE("every lane has the bits of the scalar, in double and in single precision") {
  CHECK(lanes_are_scalars<double, 8>());
  CHECK(lanes_are_scalars<float, 16>());
}

TEST_CASE("the root of the positive part keeps NaN, in one lane only") {
  float x[16] = {4, -1, std::numeric_limits<float>::quiet_NaN(), 0};
  const auto root = root_of_positive(LanesOf<Lanes<float, 16>>::load(x));
  CHECK(root.v[0] == 2);
  CHECK(root.v[1] == 0);
  CHECK(std::isnan(root.v[2]));
  CHECK(root.v[3] == 0);
}

TEST_CASE("amplitudes are roots to single precision, the same in a lane and alone") {
  double x[8] = {1e-8, 2, 3e5, 0, -1, 7e-20, 1.7, 0.1};
  const auto root = amplitude(LanesOf<Lanes<double, 8>>::load(x));
  for (int i = 0; i < 8; ++i) {
    CHECK(root.v[i] == amplitude(x[i]));
    CHECK(root.v[i] == Approx(std::sqrt(std::max(x[i], 0.0))).epsilon(1e-7));
  }
}

TEST_CASE("denormals are flushed while a guard lives, in its thread, and not after") {
  volatile double tiny = 1e-310;
  {
    const FlushDenormals guard;
#if defined(__SSE__)
    CHECK(tiny * 0.5 == 0);
#endif
  }
  CHECK(tiny * 0.5 > 0);
}

}  // namespace lightloop
