#pragma once
// One pool for the whole program. Work is cut into tiles whose number does not depend on the thread count.
#include <memory>
#include <type_traits>

#include "core/array.hpp"

namespace lightloop {

/// Sets how many threads `parallel_for` may use (>= 1, the caller included). Results never depend on it. Throws
/// OutOfRange, and Unsupported inside a `parallel_for` body.
void set_threads(int count);
/// At first the number of processors this process may run on; a forked child keeps its parent's number.
int threads();

/// A reference to a callable void(Index); owns and allocates nothing.
class TileBody {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, TileBody>) TileBody(F&& f)  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Index i) { (*static_cast<std::remove_reference_t<F>*>(object))(i); }) {}
  void operator()(Index i) const { call_(object_, i); }

 private:
  void* object_;
  void (*call_)(void*, Index);
};

/// Calls body(i) for every i in [0, count), on up to `threads()` threads, and returns when all are done.
///
/// Tiles are handed out in order but may run in any order: bodies must not depend on each other. A call from inside a
/// body runs inline, and so does a call from a second thread while the pool is busy. After a body has thrown no new
/// tile is started; the first exception is rethrown here once the running ones have ended. Waiting threads sleep.
/// Allocates nothing.
void parallel_for(Index count, TileBody body);

}  // namespace lightloop
