#pragma once
// Every large product of the program goes through here, so that bits do not depend on threads or on batch size.
#include "core/array.hpp"

namespace lightloop {

enum class Transpose { no, yes };

/// C = alpha op(A) op(B) + beta C in single precision, row-major; op(A) is (m, k), op(B) is (k, n), C is (m, n).
///
/// C is cut into tiles of one fixed shape (short edges are padded), each a single-threaded BLAS call, spread over
/// `parallel_for`. So equal inputs give equal bits for any thread count, and a row of C does not depend on how many
/// other rows stand in the batch. Throws ShapeMismatch. beta == 0 overwrites C whatever it held (NaN too).
void gemm(Transpose ta, Transpose tb, float alpha, View<const float> a, View<const float> b, float beta, View<float> c);

}  // namespace lightloop
