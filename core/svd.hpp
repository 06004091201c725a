#pragma once
#include <vector>

#include "core/mesh.hpp"
#include "core/random.hpp"

namespace lightloop {

/// A = u diag(s) v^H with u (m, m) and v (n, n) unitary, s descending, min(m, n) values.
struct Svd {
  Matrix<Complex> u, v;
  std::vector<double> s;
};

/// Singular value decomposition of any matrix (m, n). Throws ShapeMismatch for an empty one, InvalidParameter for one
/// that is not finite. Single-threaded; Eigen's divide and conquer.
Svd svd(View<const Complex> a);

/// Turns the vectors that A leaves free by unitary matrices from the Haar measure: those of equal values (within 1e-9
/// of the largest) in u and v alike, those of zeros and those beyond min(m, n) in u and in v each by themselves. A
/// stays u diag(s) v^H. Randomness: normals of `stream`, row = place of the vector (v by itself: + 2^32), columns 2 c,
/// 2 c + 1.
void turn_free_vectors(Svd& parts, const Stream& stream);

}  // namespace lightloop
