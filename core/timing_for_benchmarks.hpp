#pragma once
// For benchmarks: time that other programs on the machine do not spoil, and the middle of several.
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lightloop::benchmarks {

/// Time of one of the system's clocks while `f` runs.
template <class F>
double clock_seconds(clockid_t clock, F f) {
  const auto now = [clock] {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  f();
  return now() - start;
}

/// Processor time of this thread while `f` runs.
template <class F>
double own_seconds(F f) {
  return clock_seconds(CLOCK_THREAD_CPUTIME_ID, f);
}

/// The same of all threads of this program: for work that a session does on its device's thread.
template <class F>
double program_seconds(F f) {
  return clock_seconds(CLOCK_PROCESS_CPUTIME_ID, f);
}

inline double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

}  // namespace lightloop::benchmarks
