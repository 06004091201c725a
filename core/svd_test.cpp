#include "core/svd.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/error.hpp"
#include "core/random_unitary_for_tests.hpp"

namespace lightloop {

namespace {

void check_product(const Svd& parts, const Matrix<Complex>& a, double limit) {
  double worst = 0;
  for (Index r = 0; r < a.rows(); ++r)
    for (Index c = 0; c < a.cols(); ++c) {
      Complex sum = 0;
      for (std::size_t k = 0; k < parts.s.size(); ++k)
        sum += parts.u(r, static_cast<Index>(k)) * parts.s[k] * std::conj(parts.v(c, static_cast<Index>(k)));
      worst = std::max(worst, std::abs(sum - a(r, c)));
    }
  CHECK(worst < limit);
}

}  // namespace

TEST_CASE("u diag(s) v^H is the matrix, and both sides are unitary") {
  for (const auto& [m, n] : {std::pair<Index, Index>{5, 9}, {9, 5}, {40, 40}, {1, 3}}) {
    const Matrix<Complex> a = gaussian_matrix(m, n, 3);
    const Svd parts = svd(a);
    REQUIRE(parts.s.size() == static_cast<std::size_t>(std::min(m, n)));
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.u));
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.v));
    check_product(parts, a, 1e-13);
    CHECK(std::is_sorted(parts.s.rbegin(), parts.s.rend()));
  }
}

TEST_CASE("turning what a matrix leaves free of its singular vectors leaves the matrix, and nothing else") {
  const Stream stream(4, 0, Purpose::user);
  Matrix<Complex> two(6, 9);  // two values of 2, three of 1, one of 0, three vectors beside
  for (Index i = 0; i < 5; ++i) two(i, i) = i < 2 ? 2 : 1;
  for (const Matrix<Complex>& a : {two, gaussian_matrix(6, 9, 3), gaussian_matrix(9, 6, 3), Matrix<Complex>(4, 4)}) {
    const Svd before = svd(a);
    Svd parts = before;
    turn_free_vectors(parts, stream);
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.u));
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.v));
    check_product(parts, a, 1e-13);
    CHECK(parts.s == before.s);
  }
  Svd fixed = svd(gaussian_matrix(6, 6, 3));
  const Svd as_was = fixed;
  turn_free_vectors(fixed, stream);
  CHECK(std::ranges::equal(fixed.u.flat(), as_was.u.flat()));
  CHECK(std::ranges::equal(fixed.v.flat(), as_was.v.flat()));
}

TEST_CASE("free vectors are turned by the Haar measure: moments of an element, 300 draws, two-sided, alpha 1e-5 each") {
  // of U(8): E|u|^2 = 1/8, E|u|^4 = 2 / (8 * 9), E|u|^8 = 24 / (8 * 9 * 10 * 11), E u = E u^2 = 0
  Matrix<Complex> identity(8, 8);
  for (Index i = 0; i < 8; ++i) identity(i, i) = 1;
  constexpr int kDraws = 300;
  Complex first = 0, second = 0;
  double fourth = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    Svd parts = svd(identity);
    turn_free_vectors(parts, Stream(1, static_cast<std::uint64_t>(draw), Purpose::user));
    const Complex u = parts.u(2, 5);
    first += u / static_cast<double>(kDraws);
    second += u * u / static_cast<double>(kDraws);
    fourth += std::pow(std::norm(u), 2) / kDraws;
  }
  const double z = 4.42, n = kDraws;
  CHECK(std::abs(first.real()) < z * std::sqrt(1 / 16.0 / n));
  CHECK(std::abs(first.imag()) < z * std::sqrt(1 / 16.0 / n));
  CHECK(std::abs(second.real()) < z * std::sqrt(1 / 72.0 / n));
  CHECK(std::abs(second.imag()) < z * std::sqrt(1 / 72.0 / n));
  CHECK(std::abs(fourth - 2 / 72.0) < z * std::sqrt((24.0 / 7920 - std::pow(2 / 72.0, 2)) / n));
}

TEST_CASE("a matrix that is empty or not finite has no singular values") {
  Matrix<Complex> a(2, 2);
  CHECK_THROWS_AS(svd(View<const Complex>(a.data(), 0, 2)), ShapeMismatch);
  a(0, 1) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(svd(a), InvalidParameter);
}

}  // namespace lightloop
