#include "training/metrics/rank.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"
#include "training/metrics/error.hpp"

using namespace lightloop;

TEST_CASE("the rank is the number of independent directions above the threshold") {
  // sum of three outer products of size 1, 1e-2 and 1e-4
  Matrix<double> states(40, 20);
  const Stream stream(1, 0, Purpose::user);
  for (std::uint64_t k = 0; k < 3; ++k)
    for (Index r = 0; r < 40; ++r)
      for (Index c = 0; c < 20; ++c)
        states(r, c) += std::pow(1e-2, static_cast<double>(k)) * stream.normal(2 * k, static_cast<std::uint64_t>(r)) *
                        stream.normal(2 * k + 1, static_cast<std::uint64_t>(c));
  CHECK(kernel_rank(states, 1e-1).value == 1);
  CHECK(kernel_rank(states, 1e-3).value == 2);
  CHECK(generalisation_rank(states, 1e-6).value == 3);
  CHECK(kernel_rank(states, 1e-3).convention.find("not centred") != std::string::npos);
  CHECK_THROWS_AS(kernel_rank(states, 1.5), OutOfRange);
}

TEST_CASE("errors: NMSE of the mean is 1, NRMSE divides by the standard deviation") {
  Matrix<double> y(4, 1), mean(4, 1), twice(4, 1);
  const double values[] = {1, 3, 5, 11};
  for (Index t = 0; t < 4; ++t) {
    y(t, 0) = values[t];
    mean(t, 0) = 5;
    twice(t, 0) = 5 + 2 * (values[t] - 5);
  }
  CHECK(nmse(y, mean).value == Approx(1));
  CHECK(nmse(y, y).value == 0);
  CHECK(nrmse(y, twice).value == Approx(1));
  CHECK_THROWS_AS(nmse(mean, y), InvalidParameter);
}

TEST_CASE("symbols: the nearest level or the largest output decides") {
  Matrix<double> y(3, 1), p(3, 1), one_hot(2, 3), score(2, 3);
  y(0, 0) = -1, y(1, 0) = 1, y(2, 0) = 3;
  p(0, 0) = -0.1, p(1, 0) = 1.9, p(2, 0) = 1.9;
  const double levels[] = {-3, -1, 1, 3};
  CHECK(symbol_error_rate(y, p, levels).value == Approx(1.0 / 3));
  one_hot(0, 2) = one_hot(1, 0) = 1;
  score(0, 2) = 0.1;
  score(1, 1) = 0.2;
  CHECK(symbol_error_rate(one_hot, score, {}).value == 0.5);
  CHECK_THROWS_AS(symbol_error_rate(y, p, {}), InvalidParameter);
}
