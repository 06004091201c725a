#pragma once
// Every large product of the program goes through here, so that bits do not depend on threads or on batch size.
#include "core/array.hpp"

namespace lightloop {

enum class Transpose { no, yes };

/// C = alpha op(A) op(B) + beta C in single precision, row-major; op(A) is (m, k), op(B) is (k, n), C is (m, n). C must
/// not overlap A or B.
///
/// Every element of C is one fixed chain of operations (fused multiply-adds over ascending k in blocks of 256, see
/// gemm_kernel.hpp), whatever tile, edge, transpose or thread computes it. So equal inputs give equal bits for any
/// thread count, and a row of C depends neither on its position nor on how many other rows stand in the batch. Work is
/// spread over `parallel_for`; nothing is allocated after a thread's first call. Throws ShapeMismatch. beta == 0
/// overwrites C whatever it held (NaN too); k == 0 leaves beta C.
void gemm(Transpose ta, Transpose tb, float alpha, View<const float> a, View<const float> b, float beta, View<float> c);

/// op(B) in the order in which gemm reads it, for products with the same B (see core/factor.hpp).
class PackedMatrix {
 public:
  /// Takes the values of now; allocates where op(B) is larger than any before.
  void pack(Transpose tb, View<const float> b);
  Index rows() const { return panels_.rows(); }  ///< of op(B)
  Index cols() const { return cols_; }
  /// Of op(B) from row `depth_first` and column `col` on: a panel of `depth` rows, or what is left of it.
  const float* panel(Index depth_first, Index depth, Index col) const {
    return panels_.data() + depth_first * panels_.cols() + col * depth;
  }

 private:
  Index cols_ = 0;
  Matrix<float> panels_;  // depth after depth, in each panel after panel; columns as many as whole vectors hold
};
/// The same bits as gemm with the matrix that was packed.
void gemm(Transpose ta, float alpha, View<const float> a, const PackedMatrix& b, float beta, View<float> c);

}  // namespace lightloop
