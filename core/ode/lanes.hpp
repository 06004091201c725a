#pragma once
// A few numbers side by side that behave like one: a model written for a value type V runs for one system with V =
// double or float, and for several members of an ensemble at once with V = Lanes<double, 8> or Lanes<float, 16>.
// Every lane goes through the operations of the scalar, so its bits are the scalar's, provided both are compiled with
// -ffp-contract=off (else the compiler may fuse a product with a sum in one of the two).
#include <cmath>
#include <cstddef>

namespace lightloop {

/// `count` lanes of T, 64 bytes together. Built on the vector types of GCC and Clang, which fall back to what the
/// processor has.
template <class T, int count>
struct Lanes {
  static_assert(count * sizeof(T) == 64);
  static constexpr int kCount = count;
  using Scalar = T;
  typedef T Vector __attribute__((vector_size(64)));
  Vector v;
};

#define LIGHTLOOP_LANES_INLINE [[gnu::always_inline]] inline

#define LIGHTLOOP_LANES_OPERATOR(op)                                                           \
  template <class T, int n>                                                                    \
  LIGHTLOOP_LANES_INLINE Lanes<T, n> operator op(const Lanes<T, n>& a, const Lanes<T, n>& b) { \
    return {a.v op b.v};                                                                       \
  }
LIGHTLOOP_LANES_OPERATOR(+)
LIGHTLOOP_LANES_OPERATOR(-)
LIGHTLOOP_LANES_OPERATOR(*)
LIGHTLOOP_LANES_OPERATOR(/)
#undef LIGHTLOOP_LANES_OPERATOR

/// sqrt(max(x, 0)); NaN stays NaN.
template <class T, int n>
LIGHTLOOP_LANES_INLINE Lanes<T, n> root_of_positive(const Lanes<T, n>& x) {
  typename Lanes<T, n>::Vector zero = {};
  typename Lanes<T, n>::Vector y = x.v < zero ? zero : x.v;
  for (int i = 0; i < n; ++i) y[i] = std::sqrt(y[i]);
  return {y};
}
LIGHTLOOP_LANES_INLINE double root_of_positive(double x) { return std::sqrt(x < 0 ? 0.0 : x); }
LIGHTLOOP_LANES_INLINE float root_of_positive(float x) { return std::sqrt(x < 0 ? 0.0f : x); }

/// The same to single precision whatever T: several times faster in double, and good enough for the amplitude of a
/// noise.
template <int n>
LIGHTLOOP_LANES_INLINE Lanes<double, n> amplitude(const Lanes<double, n>& x) {
  typedef float Half __attribute__((vector_size(32)));  // as many as 64 bytes of double
  Half y = __builtin_convertvector(x.v, Half);
  const Half zero = {};
  y = y < zero ? zero : y;
  for (int i = 0; i < n; ++i) y[i] = std::sqrt(y[i]);
  return {__builtin_convertvector(y, typename Lanes<double, n>::Vector)};
}
template <int n>
LIGHTLOOP_LANES_INLINE Lanes<float, n> amplitude(const Lanes<float, n>& x) {
  return root_of_positive(x);
}
LIGHTLOOP_LANES_INLINE float amplitude(float x) { return root_of_positive(x); }
LIGHTLOOP_LANES_INLINE double amplitude(double x) { return root_of_positive(static_cast<float>(x)); }

/// What a model needs to know about its value type: the scalar, the lanes, and the way in and out of memory.
template <class V>
struct LanesOf {
  using Scalar = V;
  static constexpr int kCount = 1;
  template <class U>
  LIGHTLOOP_LANES_INLINE static V load(const U* from) {
    return static_cast<V>(*from);
  }
  LIGHTLOOP_LANES_INLINE static V all(V x) { return x; }
};

template <class T, int n>
struct LanesOf<Lanes<T, n>> {
  using Scalar = T;
  static constexpr int kCount = n;
  template <class U>
  LIGHTLOOP_LANES_INLINE static Lanes<T, n> load(const U* from) {
    Lanes<T, n> x;
    for (int i = 0; i < n; ++i) x.v[i] = static_cast<T>(from[i]);
    return x;
  }
  LIGHTLOOP_LANES_INLINE static Lanes<T, n> all(T x) { return {x - typename Lanes<T, n>::Vector{}}; }
};

#undef LIGHTLOOP_LANES_INLINE

}  // namespace lightloop
