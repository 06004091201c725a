#include "training/layers/sparse.hpp"

#include <algorithm>
#include <limits>

#include "training/elementwise.hpp"

namespace lightloop {
namespace {

constexpr Index kDensest = 16;
constexpr Index kTile = 32;  // columns of a piece: two cache lines

void turn(View<const float> from, View<float> to) {
  for_chunks(to.rows(), kTile, [&](Index first, Index count) {
    for (Index c = 0; c < from.rows(); ++c)
      for (Index r = first; r < first + count; ++r) to(r, c) = from(c, r);
  });
}

}  // namespace

bool list_nonzeros(View<const float> x, Matrix<std::int32_t>& places, Matrix<float>& values) {
  Index found = 0;
  const Index most = x.size() / kDensest;
  if (x.cols() < kDensest || x.size() > std::numeric_limits<std::int32_t>::max()) return false;
  for (Index r = 0; r < x.rows(); ++r) {
    const float* row = x.data() + r * x.stride();
    for (Index c = 0; c < x.cols(); ++c) found += row[c] != 0;
    if (found > most) return false;
  }
  places.resize(1, x.rows() + 1 + found);
  values.resize(1, found);
  std::int32_t* const begin = places.data();
  std::int32_t* const column = begin + x.rows() + 1;
  Index at = 0;
  for (Index r = 0; r < x.rows(); ++r) {
    begin[r] = static_cast<std::int32_t>(at);
    const float* row = x.data() + r * x.stride();
    for (Index c = 0; c < x.cols(); ++c) {
      if (row[c] == 0) continue;
      column[at] = static_cast<std::int32_t>(c);
      values.data()[at++] = row[c];
    }
  }
  begin[x.rows()] = static_cast<std::int32_t>(at);
  return true;
}

void sparse_times(const Matrix<std::int32_t>& places, const Matrix<float>& values, View<const float> w,
                  Matrix<float>& turned, View<float> y) {
  turned.resize(w.cols(), w.rows());
  turn(w, turned);
  const std::int32_t* const begin = places.data();
  const std::int32_t* const column = begin + y.rows() + 1;
  for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      float* __restrict out = y.row(r).data();
      std::fill_n(out, y.cols(), 0.0f);
      for (std::int32_t k = begin[r]; k < begin[r + 1]; ++k) {
        const float v = values.data()[k];
        const float* __restrict in = turned.data() + column[k] * turned.cols();
        for (Index c = 0; c < y.cols(); ++c) out[c] += v * in[c];
      }
    }
  });
}

void sparse_gradient(const Matrix<std::int32_t>& places, const Matrix<float>& values, View<const float> delta,
                     Matrix<float>& turned, View<float> dw) {
  turned.resize(dw.cols(), dw.rows());
  const std::int32_t* const begin = places.data();
  const std::int32_t* const column = begin + delta.rows() + 1;
  for_chunks(turned.cols(), kTile, [&](Index first, Index count) {
    for (Index c = 0; c < turned.rows(); ++c) std::fill_n(turned.data() + c * turned.cols() + first, count, 0.0f);
    for (Index r = 0; r < delta.rows(); ++r) {
      const float* __restrict in = delta.data() + r * delta.stride() + first;
      for (std::int32_t k = begin[r]; k < begin[r + 1]; ++k) {
        const float v = values.data()[k];
        float* __restrict out = turned.data() + column[k] * turned.cols() + first;
        for (Index c = 0; c < count; ++c) out[c] += v * in[c];
      }
    }
  });
  turn(turned, dw);
}

}  // namespace lightloop
