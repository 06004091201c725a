#pragma once
// Sums over the rows of a batch that no thread count changes, and checks that layers share.
#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "training/activation.hpp"
#include "training/elementwise.hpp"
#include "training/layers/layer.hpp"

namespace lightloop {

/// out[c] = sum of add(r, sums) over rows, in double: pieces of rows of fixed size, then the pieces in order.
template <class Add>
void sum_rows(Index rows, Matrix<double>& partial, std::span<double> out, const Add& add) {
  const auto width = static_cast<Index>(out.size());
  const Index piece = std::max<Index>(1, kChunk / std::max<Index>(1, width));
  partial.resize((rows + piece - 1) / piece, width);
  for_chunks(rows, piece, [&](Index first, Index count) {
    double* sums = partial.row(first / piece).data();
    std::fill_n(sums, width, 0.0);
    for (Index r = first; r < first + count; ++r) add(r, sums);
  });
  std::ranges::fill(out, 0.0);
  for (Index p = 0; p < partial.rows(); ++p)
    for (Index c = 0; c < width; ++c) out[static_cast<std::size_t>(c)] += partial(p, c);
}

/// out = column sums of x.
inline void sum_of_rows(View<const float> x, LayerMemory& work, std::span<float> out) {
  work.sums.resize(1, x.cols());
  sum_rows(x.rows(), work.partial, work.sums.row(0), [&](Index r, double* sums) {
    const float* row = x.data() + r * x.stride();
    for (Index c = 0; c < x.cols(); ++c) sums[c] += static_cast<double>(row[c]);
  });
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = static_cast<float>(work.sums.flat()[c]);
}

/// The batch as rows of its last axis: (m, n * d) -> (m n, d).
template <class T>
View<T> last_axis(View<T> x, Index width) {
  LIGHTLOOP_ASSERT(x.contiguous() && x.cols() % width == 0);
  return {x.data(), x.rows() * (x.cols() / width), width};
}

/// y += bias, row by row.
inline void add_bias(std::span<const float> bias, View<float> y) {
  for_rows(y.rows(), y.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) bias_and_activate(Activation::identity, bias, y.row(r));
  });
}

inline void check_at_least_one(const std::string& what, Index value) {
  if (value < 1) throw OutOfRange(what, std::to_string(value), "at least 1");
}

}  // namespace lightloop
