#pragma once
// Matrices as tensor trains: W[(i_1 .. i_d), (j_1 .. j_d)] = G_1[i_1, j_1] G_2[i_2, j_2] .. G_d[i_d, j_d], each factor
// an r_(k-1) x r_k matrix. Row and column numbers count with the last index fastest.
#include <complex>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

struct TensorTrain {
  std::vector<Index> rows, cols;  ///< m_k and n_k
  std::vector<Index> ranks;       ///< r_0 = 1, r_1, .. r_d = 1
  /// G_k as a matrix (r_(k-1) m_k, n_k r_k): element (a m_k + i, j r_k + b). What a signal of n_k r_k channels meets.
  std::vector<Matrix<double>> cores;

  Index parameters() const;
  Matrix<double> matrix() const;
};

/// `count` factors with this product, as equal as its prime factors allow, largest first.
std::vector<Index> balanced_factors(Index size, Index count);
/// Ranks of a train of this shape: at most `rank`, and no more than either side of the cut can use.
std::vector<Index> train_ranks(const std::vector<Index>& rows, const std::vector<Index>& cols, Index rank);

/// The train nearest to w cut by cut (successive truncated SVD; error at most sqrt(d - 1) times the smallest possible;
/// I. Oseledets, SIAM J. Sci. Comput. 33, 2295 (2011)). Singular values below 1e-7 of the largest are noise here: they
/// come from Gram matrices. Throws ShapeMismatch when the factors do not multiply to the shape of w.
TensorTrain tensor_train(View<const double> w, const std::vector<Index>& rows, const std::vector<Index>& cols,
                         Index rank);

/// The matrix of complex cores shaped like those of a train, and what a change of a core does to a number that depends
/// on that matrix: for dL = Re sum_ij g_ij dW_ij the c_k of dL = Re sum c_k dG_k, without conjugation.
Matrix<std::complex<double>> train_matrix(const std::vector<Index>& rows, const std::vector<Index>& cols,
                                          const std::vector<Matrix<std::complex<double>>>& cores);
std::vector<Matrix<std::complex<double>>> train_gradient(const std::vector<Index>& rows, const std::vector<Index>& cols,
                                                         const std::vector<Matrix<std::complex<double>>>& cores,
                                                         View<const double> g);

/// The same matrix with every bond's singular values shared evenly between its two cores, and all cores of one norm: no
/// core has to be more exact than another.
void balance(TensorTrain& train);

/// Cores with the least expected error when every core comes out with an error of `error` times its Frobenius norm,
/// independent and equally spread over its elements. Alternating least squares over cores, `sweeps` times there and
/// back; each step is the ridge regression |w - L G R|^2 + mu |G|^2 that errors of the other cores amount to, mu =
/// error^2 (d - 1) |L|^2 |R|^2 / (r_(k-1) r_k). error = 0: plain alternating least squares. Leaves it balanced.
void harden(TensorTrain& train, View<const double> w, double error, int sweeps);

}  // namespace lightloop
