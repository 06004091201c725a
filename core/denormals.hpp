#pragma once
// Numbers below the normal range, treated as zero for a while.
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace lightloop {

/// While alive, this thread flushes denormal numbers to zero (on x86; elsewhere it does nothing).
///
/// A light field that dies out reaches denormals, on which some processors are a hundred times slower. Linking with
/// -ffast-math would set the same for every thread of the whole process, the user's numpy included; this touches one
/// thread and puts everything back. Results of runs that reach such numbers are the same bits on any thread count, as
/// long as every path is guarded alike.
class FlushDenormals {
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(__SSE__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }  // flush to zero, denormals are zero
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
};

}  // namespace lightloop
