#include "core/linalg.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/gemm_kernel.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

// One task is a tile of C. Bits do not depend on its shape, so it may follow what is measured to be fast.
constexpr Index kTileRows = 32 * kBlockRows, kMostTileCols = 16 * kPanelCols, kLeastTileCols = 2 * kPanelCols;
constexpr Index kShallow = 48;    // below this depth rows of A, far apart, would cost more than transposing them
constexpr Index kDirectRows = 4;  // so few rows do not pay for packing B
constexpr Index kGroupCols = 8 * kPanelCols;  // of B packed at once: runs of 1 KiB; of 128 bytes cost a tenth more

struct Operand {
  const float* data;
  Index stride;
  bool transposed;
  const PackedMatrix* packed = nullptr;  // instead of the data
  const float* at(Index r, Index c) const { return transposed ? data + c * stride + r : data + r * stride + c; }
};

std::string shape(View<const float> v, Transpose t) {
  const auto text = std::to_string(v.rows()) + " x " + std::to_string(v.cols());
  return t == Transpose::yes ? "(" + text + ")^T" : text;
}

/// Packs `rows` x `depth` of op(A) into strips of kBlockRows rows.
void pack_a(const Operand& a, StripLayout layout, Index row, Index rows, Index first, Index depth, float* out) {
  constexpr Index kStrip = kBlockRows * kStripStride;
  if (a.transposed) {  // row after row as it lies in memory
    const Index whole = rows / kBlockRows * kBlockRows;
    for (Index k = 0; k < depth; ++k, out += kBlockRows) {
      const float* in = a.at(row, first + k);
      float* to = out;
      for (Index r = 0; r < whole; r += kBlockRows, to += kStrip) std::memcpy(to, in + r, kBlockRows * sizeof(float));
      for (Index r = whole; r < rows; ++r) to[r - whole] = in[r];
    }
    return;
  }
  for (Index r = 0; r < rows; r += kBlockRows, out += kStrip) {
    const Index here = std::min(kBlockRows, rows - r);
    if (layout == StripLayout::rows)
      for (Index i = 0; i < here; ++i) std::copy_n(a.at(row + r + i, first), depth, out + i * kStripStride);
    else
      for (Index i = 0; i < here; ++i) {
        const float* in = a.at(row + r + i, first);
        for (Index k = 0; k < depth; ++k) out[k * kBlockRows + i] = in[k];
      }
  }
}

/// Columns of a panel of B in which `cols` are left.
Index panel_width(Index cols) { return cols > kLanes ? kPanelCols : kLanes; }

/// Packs `depth` x `cols` of op(B) panel after panel.
void pack_b(const Operand& b, Index col, Index cols, Index first, Index depth, float* out) {
  if (b.transposed) {
    for (Index j = 0; j < cols; j += kPanelCols, out += kPanelCols * depth) {
      const Index left = cols - j;
      pack_transposed(b.at(first, col + j), b.stride, std::min(kPanelCols, left), depth, panel_width(left), out);
    }
    return;
  }
  const Index whole = cols / kPanelCols * kPanelCols, rest = cols - whole, width = panel_width(rest);
  for (Index k = 0; k < depth; ++k) {
    const float* in = b.at(first + k, col);
    float* to = out + k * kPanelCols;
    for (Index j = 0; j < whole; j += kPanelCols, to += depth * kPanelCols)
      std::memcpy(to, in + j, kPanelCols * sizeof(float));
    if (rest == 0) continue;
    to = out + whole * depth + k * width;
    std::copy_n(in + whole, rest, to);
    std::fill(to + rest, to + width, 0.f);
  }
}

struct Scratch {
  alignas(64) float a[kTileRows * kStripStride];
  alignas(64) float b[kDepth * kGroupCols];
};

void tile(const Operand& a, const Operand& b, float alpha, float beta, Index row, Index rows, Index col, Index cols,
          Index k, View<float> c) {
  thread_local Scratch scratch;
  const auto layout = a.transposed || k < kShallow ? StripLayout::columns : StripLayout::rows;
  Index first = 0;
  do {  // once also for k == 0, which leaves beta C
    const Index depth = std::min(kDepth, k - first);
    pack_a(a, layout, row, rows, first, depth, scratch.a);
    // as many columns of B at once as the buffer holds, so that shallow products write C in long rows
    const Index group = kGroupCols * std::max<Index>(1, kDepth / std::max<Index>(1, depth));
    for (Index g = 0; g < cols; g += group) {
      const Index end = std::min(cols, g + group), rest = (end - g) % kPanelCols;
      const bool direct = !b.packed && !b.transposed && rows <= kDirectRows;
      const Index packed = direct ? end - (rest == kLanes ? 0 : rest) : g;  // those before are read where they lie
      const float* panels = b.packed ? b.packed->panel(first, depth, col + g) : scratch.b;
      if (!b.packed && packed < end) pack_b(b, col + packed, end - packed, first, depth, scratch.b);
      for (Index r = 0; r < rows; r += kBlockRows)
        for (Index j = g; j < end; j += kPanelCols)
          gemm_block(layout,
                     {depth, std::min(kBlockRows, rows - r), std::min(kPanelCols, end - j),
                      scratch.a + r * kStripStride, j < packed ? b.at(first, col + j) : panels + (j - packed) * depth,
                      j < packed ? b.stride : panel_width(end - j), alpha, first == 0 ? beta : 1.f,
                      &c(row + r, col + j), c.stride()});
    }
    first += depth;
  } while (first < k);
}

Index parts(Index whole, Index part) { return (whole + part - 1) / part; }

void in_tiles(const Operand& a, const Operand& b, float alpha, float beta, Index k, View<float> c) {
  const Index m = c.rows(), n = c.cols();
  Index width = kMostTileCols;  // wide tiles pack A less often, narrow ones feed more threads
  while (width > kLeastTileCols && parts(m, kTileRows) * parts(n, width) < 2 * threads()) width /= 2;
  const Index tile_rows = parts(m, kTileRows), tile_cols = parts(n, width);
  parallel_for(tile_rows * tile_cols, [&](Index i) {
    const Index row = i / tile_cols * kTileRows, col = i % tile_cols * width;
    tile(a, b, alpha, beta, row, std::min(kTileRows, m - row), col, std::min(width, n - col), k, c);
  });
}

template <class Shape>
void check_shapes(Transpose ta, View<const float> a, Index k, Index n, View<const float> c, Shape shape_of_b) {
  const bool at = ta == Transpose::yes;
  if ((at ? a.rows() : a.cols()) != k || c.rows() != (at ? a.cols() : a.rows()) || c.cols() != n)
    throw ShapeMismatch("gemm", "op(A) " + shape(a, ta) + ", op(B) " + shape_of_b() + ", C " + shape(c, Transpose::no),
                        "(m, k) (k, n) (m, n)");
}

}  // namespace

void gemm(Transpose ta, Transpose tb, float alpha, View<const float> a, View<const float> b, float beta,
          View<float> c) {
  const bool bt = tb == Transpose::yes;
  const Index k = bt ? b.cols() : b.rows();
  check_shapes(ta, a, k, bt ? b.rows() : b.cols(), c, [&] { return shape(b, tb); });
  in_tiles({a.data(), a.stride(), ta == Transpose::yes}, {b.data(), b.stride(), bt}, alpha, beta, k, c);
}

void gemm(Transpose ta, float alpha, View<const float> a, const PackedMatrix& b, float beta, View<float> c) {
  check_shapes(ta, a, b.rows(), b.cols(), c,
               [&] { return std::to_string(b.rows()) + " x " + std::to_string(b.cols()) + " (packed)"; });
  in_tiles({a.data(), a.stride(), ta == Transpose::yes}, {nullptr, 0, false, &b}, alpha, beta, b.rows(), c);
}

void PackedMatrix::pack(Transpose tb, View<const float> b) {
  const bool bt = tb == Transpose::yes;
  const Index k = bt ? b.cols() : b.rows(), whole = (bt ? b.rows() : b.cols()) / kPanelCols * kPanelCols;
  cols_ = bt ? b.rows() : b.cols();
  panels_.resize(k, cols_ == whole ? whole : whole + panel_width(cols_ - whole));
  const Operand from{b.data(), b.stride(), bt};
  parallel_for(parts(k, kDepth) * parts(cols_, kGroupCols), [&](Index i) {
    const Index first = i / parts(cols_, kGroupCols) * kDepth, depth = std::min(kDepth, k - first);
    const Index col = i % parts(cols_, kGroupCols) * kGroupCols;
    pack_b(from, col, std::min(kGroupCols, cols_ - col), first, depth,
           panels_.data() + first * panels_.cols() + col * depth);
  });
}

}  // namespace lightloop
