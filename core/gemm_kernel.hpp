#pragma once
// The inner product of gemm: an R x W block of C from packed strips of A and B. Private to linalg.
//
// Whatever the block, every element is the same chain of operations: fused multiply-adds over k in ascending order
// from zero, then C = alpha s or C = beta C + alpha s. That is why bits cannot depend on tiling.
#include "core/array.hpp"

namespace lightloop {

#ifdef __AVX512F__
inline constexpr Index kLanes = 16, kBlockRows = 12;  // 24 accumulators of 32 registers
#else
inline constexpr Index kLanes = 8, kBlockRows = 6;  // 12 accumulators of 16 registers
#endif
inline constexpr Index kPanelCols = 2 * kLanes;
/// Depth of one pass. 256 x 32 floats of B fill two thirds of a 48 KiB first-level cache (192 to 384 were alike).
inline constexpr Index kDepth = 256;
/// Rows of packed A are this far apart: no power of two, or they would fall into the same cache sets.
inline constexpr Index kStripStride = kDepth + kLanes;

/// How packed A lies: row after row, kStripStride apart, or kBlockRows of one k together (from A^T, or for small
/// depth).
enum class StripLayout { rows, columns };

/// One block of C, `rows` <= kBlockRows and `cols` <= kPanelCols. b points at (k, col) values, `b_stride` apart in k;
/// all kLanes or 2 kLanes columns of b must be readable.
struct BlockJob {
  Index depth, rows, cols;
  const float* a;
  const float* b;
  Index b_stride;
  float alpha, beta;
  float* c;
  Index c_stride;
};
void gemm_block(StripLayout layout, const BlockJob& job);

/// out(k, j) = in(j, k) for `cols` columns j and `depth` k; columns up to `width` (a multiple of kLanes) become zero.
void pack_transposed(const float* in, Index stride, Index cols, Index depth, Index width, float* out);

}  // namespace lightloop
