#pragma once
// Private to the sources of training: views as Eigen matrices, and the decompositions that several of them need.
//
// GCC 12 takes the undefined halves of AVX-512 intrinsics for uninitialised variables once Eigen inlines them (its bug
// 105593); the warning is named here, before the first header that declares them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <Eigen/Dense>
#pragma GCC diagnostic pop

#include "core/array.hpp"

namespace lightloop::eigen {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Columns = Eigen::MatrixXd;
using ConstMap = Eigen::Map<const Rows, 0, Eigen::OuterStride<>>;

inline ConstMap map(View<const double> v) { return {v.data(), v.rows(), v.cols(), Eigen::OuterStride<>(v.stride())}; }

/// Columns with their own mean taken off.
Columns centred(View<const double> x);
/// (1 / rows) a^T b of centred matrices: covariances.
Columns covariance(const Columns& a, const Columns& b);

// Decompositions, each compiled once (decompositions.cpp): Eigen's templates for them are the dearest of this project.

/// Of a symmetric matrix: values, smallest first, and the vectors that go with them, as columns.
struct Modes {
  Eigen::VectorXd values;
  Columns vectors;
};
Modes modes(const Columns& symmetric);
/// The values alone, smallest first.
Eigen::VectorXd mode_values(const Columns& symmetric);
/// x = u diag(singular) v^T, singular values largest first; u and v with as many columns as there are of these.
struct Thin {
  Columns u, v;
  Eigen::VectorXd singular;
};
Thin thin_svd(const Columns& x);
Eigen::VectorXd singular_values(const Columns& x);
/// The largest modulus of the eigenvalues of any square matrix.
double spectral_radius(const Columns& square);

/// An orthonormal basis (T, rank) of the column space of x, and all singular values, largest first. A direction counts
/// where its singular value exceeds tolerance times the largest. By QR, then an SVD of the triangle.
struct Basis {
  Columns q;
  Eigen::VectorXd singular;
};
Basis basis(const Columns& x, double tolerance);

}  // namespace lightloop::eigen
