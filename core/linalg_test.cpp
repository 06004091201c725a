#include "core/linalg.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/factor.hpp"
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
  /// The same matrix as an operand that is read with `t`, inside one that is `extra` wider.
  Padded laid(Transpose t, Index extra) {
    if (t == Transpose::no) return *this;
    Padded turned(cols_, storage.rows(), extra, 0);
    for (Index r = 0; r < storage.rows(); ++r)
      for (Index c = 0; c < cols_; ++c) turned.view()(c, r) = storage(r, c);
    return turned;
  }
  Matrix<float> storage;
  Index cols_;
};

bool same_rows(View<const float> a, View<const float> b) {
  for (Index r = 0; r < a.rows(); ++r)
    if (std::memcmp(a.row(r).data(), b.row(r).data(), a.row(r).size_bytes()) != 0) return false;
  return true;
}

struct Shape {
  Index m, n, k;
};
constexpr Shape kShapes[] = {{1, 1, 1},      {1, 17, 5},     {5, 3, 0},       {3, 33, 64},
                             {12, 32, 100},  {13, 31, 128},  {40, 10, 100},   {64, 100, 129},
                             {70, 257, 384}, {129, 65, 385}, {150, 300, 513}, {33, 10, 1500}};

}  // namespace

TEST_CASE("gemm equals a double precision product for all transposes, strides, alpha and beta") {
  for (const auto [m, n, k] : kShapes) {
    Padded plain_a(m, k, 3, 1), plain_b(k, n, 5, 2);
    Matrix<double> sum(m, n), size(m, n);  // of the products, and of their magnitudes
    for (Index i = 0; i < m; ++i)
      for (Index l = 0; l < k; ++l)
        for (Index j = 0; j < n; ++j) {
          const double p = static_cast<double>(plain_a.view()(i, l)) * static_cast<double>(plain_b.view()(l, j));
          sum(i, j) += p;
          size(i, j) += std::abs(p);
        }
    for (const auto ta : kBoth)
      for (const auto tb : kBoth)
        for (const float beta : {0.f, 1.f, -0.5f}) {
          Padded a = plain_a.laid(ta, 3), b = plain_b.laid(tb, 5);
          Padded c(m, n, 7, 3), before = c;
          if (beta == 0) std::fill_n(c.storage.data(), c.storage.size(), std::numeric_limits<float>::quiet_NaN());
          gemm(ta, tb, 0.7f, a.view(), b.view(), beta, c.view());
          double worst = 0;
          for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < n; ++j) {
              const double wanted =
                  static_cast<double>(0.7f) * sum(i, j) +
                  (beta == 0 ? 0 : static_cast<double>(beta) * static_cast<double>(before.view()(i, j)));
              const double error = std::abs(static_cast<double>(c.view()(i, j)) - wanted) / (1 + size(i, j));
              worst = std::isnan(error) ? 1 : std::max(worst, error);
            }
          INFO(m << " " << n << " " << k << " beta " << beta);
          REQUIRE(worst < 3e-6);
          bool kept = true;  // what lies between the rows of C is not ours
          for (Index i = 0; i + 1 < m; ++i)
            for (Index j = n; j < c.storage.cols(); ++j)
              kept = kept && (beta == 0 ? std::isnan(c.storage(i, j)) : c.storage(i, j) == before.storage(i, j));
          REQUIRE(kept);
        }
  }
}

TEST_CASE("a row's bits depend neither on the other rows, nor on the thread count, nor on strides") {
  // 120 random shapes; every operand of the small call is a cut or a copy of the large call's
  const int before = threads();
  const Stream draw(5, 0, Purpose::user);
  for (std::uint64_t trial = 0; trial < 120; ++trial) {
    const auto pick = [&](std::uint64_t column, Index low, Index high) {
      return low + static_cast<Index>(draw.uniform(trial, column) * static_cast<double>(high - low + 1));
    };
    const Index m = pick(0, 1, trial % 4 == 0 ? 420 : 60), n = pick(1, 1, trial % 3 == 0 ? 700 : 70);
    const Index k = pick(2, 1, trial % 5 == 0 ? 900 : 120);
    const auto ta = kBoth[trial % 2], tb = kBoth[trial / 2 % 2];
    const float beta = std::array{0.f, 1.f, 0.3f}[trial % 3], alpha = trial % 7 == 0 ? 1.f : -1.3f;
    Padded a(ta == Transpose::yes ? k : m, ta == Transpose::yes ? m : k, pick(3, 0, 20), 1);
    Padded b(tb == Transpose::yes ? n : k, tb == Transpose::yes ? k : n, pick(4, 0, 20), 2);
    Padded whole(m, n, 0, 3), start = whole;
    set_threads(1);
    gemm(ta, tb, alpha, a.view(), b.view(), beta, whole.view());
    for (int round = 0; round < 4; ++round) {
      const auto column = static_cast<std::uint64_t>(10 + 4 * round);
      const Index first = pick(column, 0, m - 1), rows = round == 0 ? 1 : pick(column + 1, 1, m - first);
      set_threads(static_cast<int>(pick(column + 2, 1, 5)));
      Padded c(m, n, pick(column + 3, 0, 9), 4);
      for (Index r = 0; r < m; ++r) std::copy_n(start.view().row(r).data(), n, c.view().row(r).data());
      const auto cut = ta == Transpose::yes ? a.view().cols(first, rows) : a.view().rows(first, rows);
      gemm(ta, tb, alpha, cut, b.view(), beta, c.view().rows(first, rows));
      INFO("m " << m << " n " << n << " k " << k << " rows " << first << "+" << rows << " trial " << trial);
      REQUIRE(same_rows(c.view().rows(first, rows), whole.view().rows(first, rows)));
      // B packed, C as it was
      PackedMatrix packed;
      packed.pack(tb, b.view());
      for (Index r = 0; r < m; ++r) std::copy_n(start.view().row(r).data(), n, c.view().row(r).data());
      gemm(ta, alpha, cut, packed, beta, c.view().rows(first, rows));
      REQUIRE(same_rows(c.view().rows(first, rows), whole.view().rows(first, rows)));
      // the same product with A stored the other way round, and a part of the columns only
      Matrix<float> turned(cut.cols(), cut.rows());
      for (Index i = 0; i < cut.rows(); ++i)
        for (Index j = 0; j < cut.cols(); ++j) turned(j, i) = cut(i, j);
      const Index col = pick(column + 1, 0, n - 1), cols = pick(column, 1, n - col);
      const auto b_cut = tb == Transpose::yes ? b.view().rows(col, cols) : b.view().cols(col, cols);
      Matrix<float> part(rows, cols);
      for (Index r = 0; r < rows; ++r) std::copy_n(&start.view()(first + r, col), cols, part.row(r).data());
      gemm(ta == Transpose::yes ? Transpose::no : Transpose::yes, tb, alpha, turned.view(), b_cut, beta, part);
      REQUIRE(same_rows(part, whole.view().rows(first, rows).cols(col, cols)));
    }
  }
  set_threads(before);
}

TEST_CASE("a factor gives the bits of gemm whichever product it is, and forgets what was packed when it changes") {
  const Stream draw(6, 0, Purpose::user);
  Factor factor(70, 300);
  Matrix<float> forward(9, 300), back(9, 70);
  draw.normal(0, 0, forward.flat());
  draw.normal(1, 0, back.flat());
  for (std::uint64_t change = 2; change < 5; ++change) {
    draw.normal(change, 0, factor.change().flat());
    for (int product = 0; product < 4; ++product)
      for (const auto side : kBoth) {
        const View<const float> a = side == Transpose::yes ? forward : back;
        const Index n = side == Transpose::yes ? 70 : 300;
        Matrix<float> ours(9, n), wanted(9, n);
        factor.multiply(0.5f, a, side, 0.f, ours);
        gemm(Transpose::no, side, 0.5f, a, factor.matrix(), 0.f, wanted);
        REQUIRE(same_rows(ours, wanted));
      }
  }
  factor = Factor(3, 4);  // smaller than what was packed
  Matrix<float> ours(9, 3);
  for (int product = 0; product < 3; ++product) {
    factor.multiply(1.f, forward.view().cols(0, 4), Transpose::yes, 0.f, ours);
    CHECK(std::ranges::all_of(ours.flat(), [](float y) { return y == 0; }));
    CHECK_THROWS_AS(factor.multiply(1.f, forward, Transpose::yes, 0.f, ours), ShapeMismatch);
  }
}

TEST_CASE("gemm may be called from many threads at once") {
  Padded a(70, 300, 0, 1), b(300, 90, 0, 2);
  Matrix<float> one(70, 90);
  gemm(Transpose::no, Transpose::no, 1, a.view(), b.view(), 0, one);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      Matrix<float> c(70, 90);
      for (int round = 0; round < 200; ++round) {
        std::fill_n(c.data(), c.size(), 1.f);
        gemm(Transpose::no, Transpose::no, 1, View<const float>(a.view()), View<const float>(b.view()), 0, c);
        if (!same_rows(one, c)) ++wrong;
      }
    });
  for (auto& c : callers) c.join();
  REQUIRE(wrong == 0);
}

TEST_CASE("NaN and infinity in an operand reach the rows they belong to and no others") {
  Padded a(40, 50, 0, 1), b(50, 30, 0, 2);
  a.view()(17, 3) = std::numeric_limits<float>::quiet_NaN();
  a.view()(18, 3) = std::numeric_limits<float>::infinity();
  Matrix<float> c(40, 30);
  gemm(Transpose::no, Transpose::no, 1, a.view(), b.view(), 0, c);
  for (Index i = 0; i < 40; ++i)
    for (Index j = 0; j < 30; ++j) {
      REQUIRE(std::isnan(c(i, j)) == (i == 17));
      REQUIRE(std::isinf(c(i, j)) == (i == 18));
    }
}

TEST_CASE("shapes that do not fit are refused") {
  Matrix<float> a(2, 3), b(3, 4), c(2, 5);
  REQUIRE_THROWS_AS(gemm(Transpose::no, Transpose::no, 1, a.view(), b.view(), 0, c), ShapeMismatch);
  REQUIRE_THROWS_AS(gemm(Transpose::no, Transpose::yes, 1, a.view(), b.view(), 0, c), ShapeMismatch);
}
