#include "core/linalg.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"

using namespace lightloop;

namespace {

constexpr Transpose kBoth[] = {Transpose::no, Transpose::yes};

/// A matrix of normal numbers inside a wider one, so that strides differ from widths.
struct Padded {
  Padded(Index rows, Index cols, Index extra, std::uint64_t instance) : storage(rows, cols + extra), cols_(cols) {
    Stream(11, instance, Purpose::user).normal(0, 0, storage.flat());
  }
  View<float> view() { return storage.view().cols(0, cols_); }
  Matrix<float> storage;
  Index cols_;
};

float at(View<const float> v, Transpose t, Index r, Index c) { return t == Transpose::yes ? v(c, r) : v(r, c); }

bool same_rows(View<const float> a, View<const float> b) {
  for (Index r = 0; r < a.rows(); ++r)
    if (std::memcmp(a.row(r).data(), b.row(r).data(), a.row(r).size_bytes()) != 0) return false;
  return true;
}

View<float> stored(Padded& m) { return m.view(); }

struct Shape {
  Index m, n, k;
};
constexpr Shape kShapes[] = {{1, 1, 1},      {1, 17, 5},     {5, 3, 0},       {3, 33, 64},
                             {12, 32, 100},  {13, 31, 128},  {40, 10, 100},   {64, 100, 129},
                             {70, 257, 384}, {129, 65, 385}, {150, 300, 513}, {33, 10, 1500}};

}  // namespace

TEST_CASE("gemm equals a double precision product for all transposes, strides, alpha and beta") {
  for (const auto [m, n, k] : kShapes)
    for (const auto ta : kBoth)
      for (const auto tb : kBoth)
        for (const float beta : {0.f, 1.f, -0.5f}) {
          Padded a(ta == Transpose::yes ? k : m, ta == Transpose::yes ? m : k, 3, 1);
          Padded b(tb == Transpose::yes ? n : k, tb == Transpose::yes ? k : n, 5, 2);
          Padded c(m, n, 7, 3), before = c;
          if (beta == 0) std::fill_n(c.storage.data(), c.storage.size(), std::numeric_limits<float>::quiet_NaN());
          gemm(ta, tb, 0.7f, stored(a), stored(b), beta, stored(c));
          double worst = 0;
          for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < n; ++j) {
              double sum = 0, size = 1;
              for (Index l = 0; l < k; ++l) {
                const double p =
                    static_cast<double>(at(a.view(), ta, i, l)) * static_cast<double>(at(b.view(), tb, l, j));
                sum += p;
                size += std::abs(p);
              }
              sum = static_cast<double>(0.7f) * sum +
                    (beta == 0 ? 0 : static_cast<double>(beta) * static_cast<double>(before.view()(i, j)));
              const double error = std::abs(static_cast<double>(c.view()(i, j)) - sum) / size;
              worst = std::isnan(error) ? 1 : std::max(worst, error);
            }
          INFO(m << " " << n << " " << k << " beta " << beta);
          REQUIRE(worst < 3e-6);
          for (Index i = 0; i + 1 < m; ++i)  // what lies between the rows of C is not ours
            for (Index j = n; j < c.storage.cols(); ++j)
              REQUIRE((beta == 0 ? std::isnan(c.storage(i, j)) : c.storage(i, j) == before.storage(i, j)));
        }
}

TEST_CASE("equal inputs give equal bits for any thread count") {
  const int before = threads();
  for (const auto [m, n, k] : {Shape{150, 300, 513}, Shape{1, 1000, 700}, Shape{400, 10, 90}, Shape{300, 1100, 40}})
    for (const auto tb : kBoth) {
      Padded a(m, k, 0, 1), b(tb == Transpose::yes ? n : k, tb == Transpose::yes ? k : n, 0, 2);
      Matrix<float> one(m, n), many(m, n);
      set_threads(1);
      gemm(Transpose::no, tb, 1, a.view(), b.view(), 0, one);
      for (const int count : {2, 3, 7}) {
        set_threads(count);
        gemm(Transpose::no, tb, 1, a.view(), b.view(), 0, many);
        REQUIRE(same_rows(one, many));
      }
    }
  set_threads(before);
}

TEST_CASE("shapes that do not fit are refused") {
  Matrix<float> a(2, 3), b(3, 4), c(2, 5);
  REQUIRE_THROWS_AS(gemm(Transpose::no, Transpose::no, 1, a.view(), b.view(), 0, c), ShapeMismatch);
  REQUIRE_THROWS_AS(gemm(Transpose::no, Transpose::yes, 1, a.view(), b.view(), 0, c), ShapeMismatch);
}
