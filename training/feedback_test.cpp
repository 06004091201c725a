#include "training/feedback.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/stats.hpp"

using namespace lightloop;

namespace {

Matrix<float> rows(Index m, Index n) {
  Matrix<float> e(m, n);
  Stream(1, 0, Purpose::user).normal(0, 0, e.flat());
  return e;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
  return std::equal(a.flat().begin(), a.flat().end(), b.flat().begin(), b.flat().end());
}

}  // namespace

TEST_CASE("digital feedback is B e with standard normal entries") {
  const auto feedback = digital_feedback(10, 1000, 7);
  CHECK(feedback->inputs() == 10);
  CHECK(feedback->outputs() == 1000);
  Matrix<float> e(10, 10), b(10, 1000), again(3, 1000);
  for (Index i = 0; i < 10; ++i) e(i, i) = 1;
  feedback->project(e, b);
  // Null: iid N(0, 1), n = 10000, alpha = 0.001, seed 7; mean and variance two-sided at 4 standard errors.
  const Moments m = moments(b.flat());
  CHECK(std::abs(m.mean) < 0.04);
  CHECK(std::abs(m.variance - 1) < 4 * std::sqrt(2.0 / 10000));
  Matrix<float> sorted = b;
  CHECK(ks_p_value(ks_statistic(sorted.flat(), normal_cdf), 10000) > 1e-3);

  const auto x = rows(3, 10);
  feedback->project(x, again);
  for (Index r = 0; r < 3; ++r)
    for (Index j = 0; j < 1000; ++j) {
      double sum = 0;
      for (Index i = 0; i < 10; ++i) sum += static_cast<double>(x(r, i)) * b(i, j);
      CHECK(std::abs(again(r, j) - sum) < 1e-5);
    }
}

TEST_CASE("a row of feedback depends neither on its batch nor on how many outputs there are") {
  const auto large = digital_feedback(10, 300, 3), small = digital_feedback(10, 200, 3);
  const auto e = rows(50, 10);
  Matrix<float> all(50, 300), one(1, 300), top(50, 200);
  large->project(e, all);
  large->project(e.view().rows(17, 1), one);
  small->project(e, top);
  for (Index j = 0; j < 300; ++j) CHECK(one(0, j) == all(17, j));
  for (Index j = 0; j < 200; ++j) CHECK(top(17, j) == Approx(all(17, j)).margin(1e-6));
  CHECK_THROWS_AS(large->project(rows(2, 9), one), ShapeMismatch);
}

TEST_CASE("feedback from a given matrix uses it as it is") {
  Matrix<float> b(2, 3);
  for (Index i = 0; i < 6; ++i) b.flat()[static_cast<std::size_t>(i)] = static_cast<float>(i);
  const auto feedback = digital_feedback(b);
  Matrix<float> e(1, 3), y(1, 2);
  e(0, 0) = 1, e(0, 2) = -1;
  feedback->project(e, y);
  CHECK(y(0, 0) == -2);
  CHECK(y(0, 1) == -2);
}

TEST_CASE("noisy feedback has the noise asked for, leaves empty rows if told to, and resumes bit by bit") {
  Matrix<float> e = rows(40, 10);
  for (float& v : e.row(5)) v = 0;
  Matrix<float> clean(40, 500), noisy(40, 500), rest(30, 500);
  digital_feedback(10, 500, 1)->project(e, clean);
  const auto make = [](bool skip) { return noisy_feedback(digital_feedback(10, 500, 1), 1.5, skip, 2); };
  const auto feedback = make(true);
  feedback->project(e, noisy);
  std::vector<float> noise;
  for (Index r = 0; r < 40; ++r)
    for (Index j = 0; j < 500; ++j)
      if (r != 5) noise.push_back(noisy(r, j) - clean(r, j));
  // Null: N(0, 1.5^2), n = 19500, 4 standard errors.
  CHECK(std::abs(moments(noise).variance / 2.25 - 1) < 4 * std::sqrt(2.0 / 19500));
  for (const float v : noisy.row(5)) CHECK(v == 0);
  const auto every = make(false);
  every->project(e, clean);
  CHECK(clean(5, 0) != 0);

  const auto first = make(true), second = make(true);
  Matrix<float> head(10, 500);
  first->project(e.view().rows(0, 10), head);
  second->restore(first->snapshot());
  second->project(e.view().rows(10, 30), rest);
  CHECK(std::equal(rest.flat().begin(), rest.flat().end(), noisy.row(10).data()));
  CHECK_THROWS_AS(noisy_feedback(digital_feedback(1, 1, 1), -1, true, 0), OutOfRange);
  CHECK_FALSE(same(noisy, clean));
}
