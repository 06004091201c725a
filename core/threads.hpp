#pragma once
// One pool for the whole program. Work is cut into tiles whose number does not depend on the thread count.
#include <functional>

#include "core/array.hpp"

namespace lightloop {

/// Sets how many threads `parallel_for` may use (>= 1). Results never depend on it. Throws OutOfRange.
void set_threads(int count);
int threads();

/// Calls body(i) for every i in [0, count), on up to `threads()` threads, and returns when all are done.
///
/// Tiles are handed out in order but may run in any order: bodies must not depend on each other. A call from inside a
/// body runs inline. The first exception thrown by a body is rethrown here after the others have finished. Waiting
/// threads sleep.
void parallel_for(Index count, const std::function<void(Index)>& body);

}  // namespace lightloop
