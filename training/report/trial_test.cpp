#include "training/report/trial.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"

namespace lightloop {

TEST_CASE("quantiles of Student's law are those of the tables, and the normal law's for many degrees of freedom") {
  CHECK(student_quantile(0.95, 1) == Approx(6.313752).epsilon(1e-6));
  CHECK(student_quantile(0.95, 2) == Approx(2.919986).epsilon(1e-6));
  CHECK(student_quantile(0.975, 4) == Approx(2.776445).epsilon(1e-6));
  CHECK(student_quantile(0.99, 9) == Approx(2.821438).epsilon(1e-6));
  CHECK(student_quantile(0.95, 100000) == Approx(1.644854).epsilon(1e-4));
  CHECK_THROWS_AS(student_quantile(0.5, 3), OutOfRange);
  CHECK_THROWS_AS(student_quantile(0.95, 0), OutOfRange);
}

TEST_CASE("an error of one step of b bits over sqrt(12), at a sine of full scale, is b effective bits") {
  for (const int bits : {4, 8, 12}) {
    const double step = 2.0 / std::exp2(bits), sine = std::sqrt(0.5);
    CHECK(enob(step / std::sqrt(12.0) / sine) == Approx(bits).margin(2e-3));
  }
  CHECK(std::isinf(enob(0)));
}

TEST_CASE("spread is mean and sample deviation") {
  const Spread s = spread({1, 2, 3, 6});
  CHECK(s.mean == Approx(3));
  CHECK(s.sd == Approx(std::sqrt(14.0 / 3)));
  CHECK(s.standard_error() == Approx(std::sqrt(14.0 / 12)));
  CHECK(spread({5}).sd == 0);
}

}  // namespace lightloop
