#include "core/linalg.hpp"

#include <cblas.h>

#include <string>

#include "core/error.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

constexpr Index kTileRows = 128, kTileCols = 256;

std::string shape(View<const float> v, Transpose t) {
  const auto text = std::to_string(v.rows()) + " x " + std::to_string(v.cols());
  return t == Transpose::yes ? "(" + text + ")^T" : text;
}

}  // namespace

void gemm(Transpose ta, Transpose tb, float alpha, View<const float> a, View<const float> b, float beta,
          View<float> c) {
  const bool at = ta == Transpose::yes, bt = tb == Transpose::yes;
  const Index m = at ? a.cols() : a.rows(), k = at ? a.rows() : a.cols();
  const Index kb = bt ? b.cols() : b.rows(), n = bt ? b.rows() : b.cols();
  if (k != kb || c.rows() != m || c.cols() != n)
    throw ShapeMismatch("gemm", "op(A) " + shape(a, ta) + ", op(B) " + shape(b, tb) + ", C " + shape(c, Transpose::no),
                        "(m, k) (k, n) (m, n)");
  if (m == 0 || n == 0) return;
  const Index tile_rows = (m + kTileRows - 1) / kTileRows, tile_cols = (n + kTileCols - 1) / kTileCols;
  parallel_for(tile_rows * tile_cols, [&](Index tile) {
    const Index r = tile / tile_cols * kTileRows, q = tile % tile_cols * kTileCols;
    const Index h = std::min(kTileRows, m - r), w = std::min(kTileCols, n - q);
    const float* ap = at ? a.data() + r : a.data() + r * a.stride();
    Index lda = a.stride();
    const float* bp = bt ? b.data() + q * b.stride() : b.data() + q;
    float* cp = c.data() + r * c.stride() + q;
    Index ldc = c.stride();
    thread_local Matrix<float> a_pad, c_pad;
    const bool pad = h < kTileRows;
    if (pad) {
      if (at) {
        a_pad.resize(k, kTileRows);
        for (Index i = 0; i < k; ++i) {
          std::copy_n(ap + i * lda, h, &a_pad(i, 0));
          std::fill_n(&a_pad(i, 0) + h, kTileRows - h, 0.f);
        }
      } else {
        a_pad.resize(kTileRows, k);
        for (Index i = 0; i < h; ++i) std::copy_n(ap + i * lda, k, a_pad.row(i).data());
        std::fill_n(a_pad.data() + h * k, (kTileRows - h) * k, 0.f);
      }
      c_pad.resize(kTileRows, w);
      if (beta != 0)
        for (Index i = 0; i < h; ++i) std::copy_n(cp + i * ldc, w, c_pad.row(i).data());
    }
    const Index ld = pad ? (at ? kTileRows : k) : lda;
    cblas_sgemm(CblasRowMajor, at ? CblasTrans : CblasNoTrans, bt ? CblasTrans : CblasNoTrans,
                static_cast<int>(kTileRows), static_cast<int>(w), static_cast<int>(k), alpha, pad ? a_pad.data() : ap,
                static_cast<int>(std::max<Index>(1, ld)), bp, static_cast<int>(std::max<Index>(1, b.stride())), beta,
                pad ? c_pad.data() : cp, static_cast<int>(pad ? w : ldc));
    if (pad)
      for (Index i = 0; i < h; ++i) std::copy_n(c_pad.row(i).data(), w, cp + i * ldc);
  });
}

}  // namespace lightloop
