#pragma once
// A running range: the end of a converter's scale follows the sizes of what it converts.
//
// Rows are counted in windows of `rows`. A row's size is the `percentile` of the sizes of its numbers (nearest rank: of
// n numbers the ceil(n percentile / 100)-th smallest; 100: its largest), a window's the largest of its rows, so that no
// row of it has more than that part of its numbers beyond. Behind its last row
//   range <- memory range + (1 - memory) headroom size,
// from the first full window on, which sets headroom size outright; windows of zeros move nothing. Rows of a window do
// not meet their own statistics, and a window does not end with a call: the range of a row depends on what came before
// it alone, whatever the batches. A stationary largest size A is met at once; after a change from A to B the k-th
// window leaves B + (A - B) memory^k (times headroom). With headroom h > 1 a converter that reads its own end grows by
// 1 + (1 - memory) (h - 1) with every window until it sees the rest.
#include <cstdint>
#include <span>

#include "core/array.hpp"

namespace lightloop {

struct RangeLaw {
  Index rows = 0;  ///< of a window; 0: there are none
  double percentile = 100, memory = 0.99, headroom = 1;
};

struct RangeWindow {
  double range = 0;    ///< 0: no window was full yet
  Index rows = 0;      ///< of the open window, below law.rows
  double largest = 0;  ///< of their sizes

  /// The next row; whether the range has moved behind it.
  bool add(double size, const RangeLaw& law);
};

/// The size of a row, 0 of an empty one. Numbers must not be NaN.
float percentile_size(std::span<const float> x, double percentile);

}  // namespace lightloop
