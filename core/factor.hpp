#pragma once
// A matrix that stands in many products, as the programmed matrix of a device does.
#include "core/linalg.hpp"

namespace lightloop {

/// Remembers how `gemm` reads its matrix: the second product from the same side packs it, those after it only read.
/// That costs one more copy of the matrix for each side in use, and gives the bits of `gemm`. One product at a time.
class Factor {
 public:
  Factor() = default;
  Factor(Index rows, Index cols) : matrix_(rows, cols) {}

  const Matrix<float>& matrix() const { return matrix_; }
  Index rows() const { return matrix_.rows(); }
  Index cols() const { return matrix_.cols(); }
  /// The matrix to be written to before the next product.
  Matrix<float>& change();
  /// C = alpha A op(matrix) + beta C; shapes as gemm has them.
  void multiply(float alpha, View<const float> a, Transpose side, float beta, View<float> c);

 private:
  struct Side {
    int products = 0;  // since the last change; 2: packed
    PackedMatrix packed;
  };
  Matrix<float> matrix_;
  Side sides_[2];
};

}  // namespace lightloop
