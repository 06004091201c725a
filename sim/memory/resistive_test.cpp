#include "sim/memory/resistive.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop::resistive {

TEST_CASE("a written resistive cell has the published spread after a second, a day and two, and never a smaller one") {
  // the polynomials summed by hand at u = 0, 1/2 and 1, in microsiemens
  const double u[] = {0, 0.5, 1}, at[] = {1, 86400, 2 * 86400.0};
  const double published[3][3] = {{0.348, 2.0238, 1.103}, {0.701, 3.909, 2.651}, {0.782, 3.9292, 2.677}};
  for (int t = 0; t < 3; ++t)
    for (int i = 0; i < 3; ++i) CHECK(spread(u[i], at[t]) * kMaxMicrosiemens == Approx(published[t][i]).margin(2e-3));
  CHECK(spread(0.5, 0) == spread(0.5, 1));
  CHECK(spread(0.5, std::sqrt(86400.0)) == Approx(0.5 * (spread(0.5, 1) + spread(0.5, 86400))));
  for (double v = 0; v <= 1; v += 0.05)
    for (double t = 1; t < 1.7e5; t *= 1.3) CHECK(spread(v, std::min(1.3 * t, 2 * 86400.0)) >= spread(v, t));
  CHECK_THROWS_AS(spread(0.5, 3 * 86400.0), OutOfRange);
}

TEST_CASE("relaxing cells have that spread at every time, each on a path of its own") {
  constexpr std::size_t kCells = 20000;
  std::vector<float> target(kCells, 0.5f), error(kCells), xi(kCells), now(kCells), later(kCells);
  Stream(1, 0, Purpose::user).normal(0, 0, error);
  Stream(1, 0, Purpose::user).normal(1, 0, xi);
  for (const double t : {1.0, 3600.0, 86400.0}) {
    relax(target, error, xi, t, now);
    double mean = 0, square = 0;
    for (const float g : now) mean += static_cast<double>(g) / kCells;
    for (const float g : now) square += std::pow(static_cast<double>(g) - mean, 2) / kCells;
    // two-sided, 3.3 standard errors (alpha 1e-3 each), n = 20000, seed 1
    CHECK(mean == Approx(0.5).margin(3.3 * spread(0.5, t) / std::sqrt(kCells)));
    CHECK(square == Approx(std::pow(spread(0.5, t), 2)).epsilon(3.3 * std::sqrt(2.0 / kCells)));
  }
  relax(target, error, xi, 3600, now);
  relax(target, error, xi, 86400, later);
  std::size_t same = 0;
  for (std::size_t i = 0; i < kCells; ++i) same += ((later[i] - now[i]) * xi[i] >= 0);  // goes on in its direction
  CHECK(same == kCells);
}

}  // namespace lightloop::resistive
