#pragma once
// The recent past of a signal on a time grid: what a delay equation needs beside its state.
#include <vector>

#include "core/array.hpp"
#include "core/error.hpp"

namespace lightloop {

/// The last `steps` + 1 values, a ring. `ago(0)` is the newest, `ago(steps)` the oldest.
///
/// For a stepper whose stages lie on the grid: the stage at t reads ago(m), the stage at t + h reads ago(m - 1), where
/// m >= 1 is the delay in steps, and after the step the new value is pushed.
template <class T>
class DelayLine {
 public:
  DelayLine(Index steps, const T& past) : values_(static_cast<std::size_t>(steps) + 1, past) {
    LIGHTLOOP_ASSERT(steps >= 0);
  }
  const T& ago(Index steps) const {
    const std::size_t back = static_cast<std::size_t>(steps);
    return values_[newest_ >= back ? newest_ - back : newest_ + values_.size() - back];
  }
  void push(const T& value) {
    newest_ = newest_ + 1 == values_.size() ? 0 : newest_ + 1;
    values_[newest_] = value;
  }
  Index steps() const { return static_cast<Index>(values_.size()) - 1; }

 private:
  std::vector<T> values_;
  std::size_t newest_ = 0;
};

}  // namespace lightloop
