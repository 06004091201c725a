#include "core/gemm_kernel.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace lightloop {
namespace {

using Vec [[gnu::vector_size(kLanes * sizeof(float))]] = float;

Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }

/// Last step of a block, whole vectors only. Never inlined, so that there is one copy for all blocks and edges: the
/// compiler may contract beta c + alpha s in two ways, and must choose once.
[[gnu::noinline]] void finish(const float* sums, Index rows, Index width, float alpha, float beta, float* c,
                              Index stride) {
  if (beta == 0.f) {
    for (Index r = 0; r < rows; ++r, sums += width, c += stride)
      for (Index j = 0; j < width; j += kLanes) store(c + j, alpha * load(sums + j));
  } else {
    for (Index r = 0; r < rows; ++r, sums += width, c += stride)
      for (Index j = 0; j < width; j += kLanes) store(c + j, beta * load(c + j) + alpha * load(sums + j));
  }
}

void write_back(const float* sums, Index width, const BlockJob& job) {
  if (job.cols == width) return finish(sums, job.rows, width, job.alpha, job.beta, job.c, job.c_stride);
  float edge[kBlockRows * kPanelCols];
  for (Index r = 0; r < job.rows; ++r) {
    if (job.beta != 0.f) std::copy_n(job.c + r * job.c_stride, job.cols, edge + r * width);
    std::fill(edge + r * width + (job.beta != 0.f ? job.cols : 0), edge + (r + 1) * width, 0.f);
  }
  finish(sums, job.rows, width, job.alpha, job.beta, edge, width);
  for (Index r = 0; r < job.rows; ++r) std::copy_n(edge + r * width, job.cols, job.c + r * job.c_stride);
}

template <int kRows, int kVecs, StripLayout kLayout>
void block(const BlockJob& job) {
  Vec sum[kRows][kVecs] = {};
  const float* a = job.a;
  const float* b = job.b;
  for (Index k = 0; k < job.depth; ++k) {
    Vec bv[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) bv[v] = load(b + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const float x = kLayout == StripLayout::rows ? a[r * kStripStride] : a[r];
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) sum[r][v] += x * bv[v];
    }
    a += kLayout == StripLayout::rows ? 1 : kBlockRows;
    b += job.b_stride;
  }
  alignas(64) float sums[kRows * kVecs * kLanes];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(sums + (r * kVecs + v) * kLanes, sum[r][v]);
  write_back(sums, kVecs * kLanes, job);
}

using Block = void (*)(const BlockJob&);
template <int kVecs, StripLayout kLayout, std::size_t... r>
constexpr std::array<Block, sizeof...(r)> blocks(std::index_sequence<r...>) {
  return {block<static_cast<int>(r) + 1, kVecs, kLayout>...};
}
template <int kVecs, StripLayout kLayout>
constexpr auto kBlocks = blocks<kVecs, kLayout>(std::make_index_sequence<kBlockRows>{});

template <std::size_t... i>
void interleave(const Vec& x, const Vec& y, Vec& low, Vec& high, std::index_sequence<i...>) {
  low = __builtin_shufflevector(x, y, ((i % 2 != 0 ? static_cast<int>(kLanes) : 0) + static_cast<int>(i) / 2)...);
  high = __builtin_shufflevector(x, y,
                                 ((i % 2 != 0 ? static_cast<int>(kLanes) : 0) + static_cast<int>(i + kLanes) / 2)...);
}

/// Transposes a square of kLanes x kLanes by log2(kLanes) perfect shuffles.
void transpose(Vec (&v)[kLanes]) {
#pragma GCC unroll 4
  for (Index round = 1; round < kLanes; round *= 2) {
    Vec next[kLanes];
#pragma GCC unroll 8
    for (Index i = 0; i < kLanes / 2; ++i)
      interleave(v[i], v[i + kLanes / 2], next[2 * i], next[2 * i + 1], std::make_index_sequence<kLanes>{});
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes; ++i) v[i] = next[i];
  }
}

}  // namespace

void gemm_block(StripLayout layout, const BlockJob& job) {
  const auto r = static_cast<std::size_t>(job.rows - 1);
  if (job.cols > kLanes)
    (layout == StripLayout::rows ? kBlocks<2, StripLayout::rows> : kBlocks<2, StripLayout::columns>)[r](job);
  else
    (layout == StripLayout::rows ? kBlocks<1, StripLayout::rows> : kBlocks<1, StripLayout::columns>)[r](job);
}

void pack_transposed(const float* in, Index stride, Index cols, Index depth, Index width, float* out) {
  for (Index j = 0; j < width; j += kLanes) {
    const Index here = std::clamp<Index>(cols - j, 0, kLanes);
    Index k = 0;
    for (; k + kLanes <= depth; k += kLanes) {
      Vec square[kLanes] = {};
      for (Index i = 0; i < here; ++i) square[i] = load(in + (j + i) * stride + k);
      transpose(square);
      for (Index i = 0; i < kLanes; ++i) store(out + (k + i) * width + j, square[i]);
    }
    for (; k < depth; ++k)
      for (Index i = 0; i < kLanes; ++i) out[k * width + j + i] = i < here ? in[(j + i) * stride + k] : 0.f;
  }
}

}  // namespace lightloop
