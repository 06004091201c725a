#pragma once
#include "core/random.hpp"
#include "core/svd.hpp"

namespace lightloop {

/// A complex Gaussian matrix, E|a|^2 = 2.
inline Matrix<Complex> gaussian_matrix(Index rows, Index cols, std::uint64_t seed) {
  Matrix<Complex> a(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      a(r, c) = {stream.normal(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(2 * c)),
                 stream.normal(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(2 * c + 1))};
  return a;
}

/// Drawn from the Haar measure: columns of a Gaussian matrix made orthonormal one after the other, twice (modified
/// Gram-Schmidt), so that it is unitary to rounding.
inline Matrix<Complex> haar_unitary(Index n, std::uint64_t seed) {
  Matrix<Complex> a = gaussian_matrix(n, n, seed);
  for (Index r = 0; r < n; ++r) {
    for (int twice = 0; twice < 2; ++twice)
      for (Index p = 0; p < r; ++p) {
        Complex dot = 0;
        for (Index c = 0; c < n; ++c) dot += std::conj(a(p, c)) * a(r, c);
        for (Index c = 0; c < n; ++c) a(r, c) -= dot * a(p, c);
      }
    double norm = 0;
    for (Index c = 0; c < n; ++c) norm += std::norm(a(r, c));
    for (Index c = 0; c < n; ++c) a(r, c) /= std::sqrt(norm);
  }
  return a;
}

}  // namespace lightloop
