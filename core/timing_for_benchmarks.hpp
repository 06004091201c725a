#pragma once
// For benchmarks: time that other programs on the machine do not spoil, and the middle of several.
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lightloop::benchmarks {

/// Processor time of this thread while `f` runs.
template <class F>
double own_seconds(F f) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  f();
  return now() - start;
}

inline double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

}  // namespace lightloop::benchmarks
