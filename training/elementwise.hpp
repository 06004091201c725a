#pragma once
// Element-wise work cut into pieces whose size never depends on the thread count, handed out without allocating.
#include <algorithm>
#include <span>

#include "core/array.hpp"
#include "core/threads.hpp"

namespace lightloop {

/// Elements per piece: 64 KiB of floats, so that four operands stay in a second-level cache (assumed: 1 MiB or more).
constexpr Index kChunk = 16384;

/// Calls body(first, count) for consecutive pieces of [0, total), in parallel.
template <class Body>
void for_chunks(Index total, Index chunk, const Body& body) {
  auto piece = [&](Index i) { body(i * chunk, std::min(chunk, total - i * chunk)); };
  parallel_for((total + chunk - 1) / chunk, piece);
}

/// Calls body(first_row, row_count) for pieces of a (rows, cols) batch, about kChunk elements each.
template <class Body>
void for_rows(Index rows, Index cols, const Body& body) {
  for_chunks(rows, std::max<Index>(1, kChunk / std::max<Index>(1, cols)), body);
}

/// Sum of products in double precision, added in a fixed order.
inline double dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kLanes = 8;  // sums side by side, added in a fixed order
  double sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (std::size_t j = 0; j < kLanes; ++j) sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  double total = 0;
  for (const double sum : sums) total += sum;
  for (; i < a.size(); ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

}  // namespace lightloop
