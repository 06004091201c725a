#include "core/stats.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/error.hpp"

using namespace lightloop;

TEST_CASE("moments of a small sample equal those worked by hand") {
  const std::vector<double> x{1, 2, 2, 7};  // mean 3; central moments 5.5, 12, 66.5 (sums / 4: 22, 54, 274)
  const auto m = moments(x);
  CHECK(m.mean == Approx(3));
  CHECK(m.variance == Approx(22. / 3));
  CHECK(m.skewness == Approx(54. / 4 / std::pow(22. / 4, 1.5)));
  CHECK(m.kurtosis == Approx(274. / 4 / std::pow(22. / 4, 2) - 3));
  CHECK_THROWS_AS(moments(std::vector<double>{1}), InvalidParameter);
}

TEST_CASE("normal, Kolmogorov and chi-square tails equal tabulated values") {
  CHECK(normal_cdf(1.959963985) == Approx(0.975).epsilon(1e-9));
  CHECK(normal_p_value(-2.575829304) == Approx(0.01).epsilon(1e-8));
  // limit law: Q(1.3581) = 0.05, Q(1.6276) = 0.01, Q(0.8276) = 0.5 (Smirnov's table); n so large that no correction
  // shows
  CHECK(ks_p_value(1.35810e-6, 1e12) == Approx(0.05).epsilon(1e-3));
  CHECK(ks_p_value(1.62762e-6, 1e12) == Approx(0.01).epsilon(1e-3));
  CHECK(ks_p_value(0.82757e-6, 1e12) == Approx(0.5).epsilon(1e-3));
  // both forms of the series meet
  CHECK(ks_p_value(0.999999e-6, 1e12) == Approx(ks_p_value(1.000001e-6, 1e12)).epsilon(1e-4));
  // exact law at n = 10: P(D >= 0.409) = 0.05, P(D >= 0.489) = 0.01
  CHECK(ks_p_value(0.40925, 10) == Approx(0.05).margin(0.002));
  CHECK(ks_p_value(0.48893, 10) == Approx(0.01).margin(0.001));
  CHECK(chi_square_p_value(3.841458821, 1) == Approx(0.05).epsilon(1e-8));
  CHECK(chi_square_p_value(18.30703805, 10) == Approx(0.05).epsilon(1e-8));
}

TEST_CASE("the Kolmogorov-Smirnov distance is the largest gap on either side of a step") {
  std::vector<float> x{0.7f, 0.1f, 0.4f};
  const auto uniform = [](double v) { return v; };
  CHECK(ks_statistic(x, uniform) == Approx(0.3).epsilon(1e-6));  // 1 - 0.7
  std::vector<float> high{0.6f, 0.8f};
  CHECK(ks_statistic(high, uniform) == Approx(0.6).epsilon(1e-6));  // 0.6 - 0
  std::vector<float> a{1, 2, 2, 3}, b{2, 2, 4, 5};
  CHECK(ks_statistic(a, b) == Approx(0.5));  // at 3: 4/4 against 2/4
}

TEST_CASE("chi_square and correlation equal values worked by hand, and refuse what makes no sense") {
  CHECK(chi_square(std::vector<double>{8, 12}, std::vector<double>{10, 10}) == Approx(0.8));
  CHECK_THROWS_AS(chi_square(std::vector<double>{1}, std::vector<double>{0}), OutOfRange);
  CHECK_THROWS_AS(chi_square(std::vector<double>{1}, std::vector<double>{1, 2}), ShapeMismatch);
  const std::vector<float> x{1, 2, 3}, y{1, 3, 2}, down{3, 2, 1};
  CHECK(correlation(x, y) == Approx(0.5));
  CHECK(correlation(x, down) == Approx(-1));
}
