#pragma once
#include <vector>

#include "core/mesh.hpp"

namespace lightloop {

/// A = u diag(s) v^H with u (m, m) and v (n, n) unitary, s descending, min(m, n) values.
struct Svd {
  Matrix<Complex> u, v;
  std::vector<double> s;
};

/// Singular value decomposition of any matrix (m, n). Throws ShapeMismatch for an empty one, InvalidParameter for one
/// that is not finite. Single-threaded; Eigen's divide and conquer.
Svd svd(View<const Complex> a);

}  // namespace lightloop
