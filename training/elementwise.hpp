#pragma once
// Element-wise work cut into pieces whose size never depends on the thread count, handed out without allocating.
#include <algorithm>

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

}  // namespace lightloop
