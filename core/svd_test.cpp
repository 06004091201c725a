#include "core/svd.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/error.hpp"
#include "core/random_unitary_for_tests.hpp"

namespace lightloop {

TEST_CASE("u diag(s) v^H is the matrix, and both sides are unitary") {
  for (const auto& [m, n] : {std::pair<Index, Index>{5, 9}, {9, 5}, {40, 40}, {1, 3}}) {
    const Matrix<Complex> a = gaussian_matrix(m, n, 3);
    const Svd parts = svd(a);
    REQUIRE(parts.s.size() == static_cast<std::size_t>(std::min(m, n)));
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.u));
    CHECK_NOTHROW(decompose(MeshLayout::clements, parts.v));
    double worst = 0;
    for (Index r = 0; r < m; ++r)
      for (Index c = 0; c < n; ++c) {
        Complex sum = 0;
        for (std::size_t k = 0; k < parts.s.size(); ++k)
          sum += parts.u(r, static_cast<Index>(k)) * parts.s[k] * std::conj(parts.v(c, static_cast<Index>(k)));
        worst = std::max(worst, std::abs(sum - a(r, c)));
      }
    CHECK(worst < 1e-13);
    CHECK(std::is_sorted(parts.s.rbegin(), parts.s.rend()));
  }
}

TEST_CASE("a matrix that is empty or not finite has no singular values") {
  Matrix<Complex> a(2, 2);
  CHECK_THROWS_AS(svd(View<const Complex>(a.data(), 0, 2)), ShapeMismatch);
  a(0, 1) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(svd(a), InvalidParameter);
}

}  // namespace lightloop
