// The inner loops of meshes: a 2 x 2 complex matrix on two rows, or on two neighbouring columns.
#include "core/mesh_kernel.hpp"

#include <cmath>
#include <cstring>
#include <numbers>

namespace lightloop {
namespace {

using V4 [[gnu::vector_size(32)]] = double;
using V8 [[gnu::vector_size(64)]] = double;

template <class V>
V load(const Complex* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
void store(Complex* p, V v) {
  std::memcpy(static_cast<void*>(p), &v, sizeof v);
}
V8 swapped(V8 v) { return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6); }

/// z -> w z on interleaved numbers is re * z + im * swapped(z), with the sign of the real part in im.
struct Factor {
  V8 re, im;
  explicit Factor(Complex w) {
    const double r = w.real(), i = w.imag();
    re = V8{r, r, r, r, r, r, r, r};
    im = V8{-i, i, -i, i, -i, i, -i, i};
  }
};

}  // namespace

void rotate_rows(const Complex2x2& m, Complex* x, Complex* y, Index n) {
  const Factor a(m.a), b(m.b), c(m.c), d(m.d);
  Index k = 0;
  for (; k + 4 <= n; k += 4) {
    const V8 p = load<V8>(x + k), q = load<V8>(y + k), ps = swapped(p), qs = swapped(q);
    store(x + k, (a.re * p + a.im * ps) + (b.re * q + b.im * qs));
    store(y + k, (c.re * p + c.im * ps) + (d.re * q + d.im * qs));
  }
  if (k == n) return;
  Complex tail[8] = {};
  std::copy_n(x + k, n - k, tail);
  std::copy_n(y + k, n - k, tail + 4);
  const V8 p = load<V8>(tail), q = load<V8>(tail + 4), ps = swapped(p), qs = swapped(q);
  store(tail, (a.re * p + a.im * ps) + (b.re * q + b.im * qs));
  store(tail + 4, (c.re * p + c.im * ps) + (d.re * q + d.im * qs));
  std::copy_n(tail, n - k, x + k);
  std::copy_n(tail + 4, n - k, y + k);
}

void turn_rows(const Turn& t, Complex* x, Complex* y, Index n) {
  const Factor phase(t.phase);
  for (Index k = 0; k < n; k += 4) {
    const V8 p = load<V8>(x + k), q = load<V8>(y + k), shifted = phase.re * p + phase.im * swapped(p);
    store(x + k, t.sin * shifted + t.cos * q);
    store(y + k, t.cos * shifted - t.sin * q);
  }
}

void turn_columns(const Turn& t, Complex* first, Index stride, Index rows) {
  const V4 re = {t.phase.real(), t.phase.real(), 1, 1}, im = {t.phase.imag(), -t.phase.imag(), 0, 0};
  const V4 own = {t.sin, t.sin, -t.sin, -t.sin};
  for (Index r = 0; r < rows; ++r, first += stride) {
    const V4 v = load<V4>(first), shifted = re * v + im * __builtin_shufflevector(v, v, 1, 0, 3, 2);
    store(first, own * shifted + t.cos * __builtin_shufflevector(shifted, shifted, 2, 3, 0, 1));
  }
}

void angles(const double* y, const double* x, double* out, double* rest, Index n) {
  // atan(t) = t p(t^2) for |t| <= tan(pi / 8): a Chebyshev fit made for this file, relative error 1.3e-18 before
  // rounding
  constexpr double kTan = 0.41421356237309503, kEighth = std::numbers::pi / 4;
  constexpr double kEighthRest = 3.061616997868383e-17;  // of the true pi / 4
  constexpr double p[12] = {0x1p+0,
                            -0x1.555555555552fp-2,
                            0x1.999999999466ap-3,
                            -0x1.2492492259b3ep-3,
                            0x1.c71c70cb775cep-4,
                            -0x1.745cf64dcc6bdp-4,
                            0x1.3b10f0f5b1224p-4,
                            -0x1.10ea1d157f6ffp-4,
                            0x1.def9ecd6a20f2p-5,
                            -0x1.9c79c07a989c6p-5,
                            0x1.3702ea64c11f2p-5,
                            -0x1.23b93fac21dacp-6};
  for (Index k = 0; k < n; ++k) {
    const double ax = std::abs(x[k]), ay = std::abs(y[k]);
    const double low = ax < ay ? ax : ay, high = ax < ay ? ay : ax;
    const bool steep = low > kTan * high;
    const double t = (steep ? low - high : low) / (steep ? low + high : high), u = t * t;
    double sum = p[11];
#pragma GCC unroll 11
    for (int i = 10; i >= 0; --i) sum = sum * u + p[i];
    // Sums of a larger and a smaller number, what they lose beside them.
    const double small = t * sum, first = steep ? kEighth : 0.0;
    double angle = small + first, lost = steep ? (small - (angle - first)) + kEighthRest : 0.0;
    const auto from = [&](bool that, double eighths) {  // eighths - angle
      const double whole = eighths * kEighth, other = whole - angle;
      lost = that ? ((whole - other) - angle) + (eighths * kEighthRest - lost) : lost;
      angle = that ? other : angle;
    };
    from(ay > ax, 2);
    from(x[k] < 0, 4);
    rest[k] = std::copysign(1.0, y[k]) * lost;
    out[k] = std::copysign(angle, y[k]);
  }
}

}  // namespace lightloop
