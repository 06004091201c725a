#pragma once
// The step of the spin-flip model for a value type V: a number, or the lanes of an ensemble. Private to spin_flip; the
// equations and the scheme are in spin_flip.hpp. All rates are per step.
#include "core/ode/lanes.hpp"

namespace lightloop::spin_flip {

template <class V>
struct Fields {
  V xr{}, xi{}, yr{}, yi{}, carriers{}, spin{};
};

/// A complex number by parts.
template <class V>
struct Pair {
  V r{}, i{};
};

template <class V>
[[gnu::always_inline]] inline Pair<V> turned(const Pair<V>& by, const V& r, const V& i) {
  return {by.r * r - by.i * i, by.r * i + by.i * r};
}

/// Everything that follows from the parameters of the lanes.
template <class V>
struct Rates {
  V k{}, k_alpha{}, g{}, dichroism{}, saturation{};
  V noise{};                                         // sd^2 = noise (N + N* +- (n + n*))
  Pair<V> whole_x{}, whole_y{}, half_x{}, half_y{};  // exact rotation over a step and half a step
  Pair<V> injected_x{}, injected_y{};                // integral of unit injection over a step
  Pair<V> feedback_x{}, feedback_y{};
  V spin_keep{}, spin_predict{}, spin_first{}, spin_second{};  // e^z, phi1, phi1 - phi2, phi2 at z = -gs h
  V filter_keep{}, filter_take{};
};

/// What acts on the fields from outside at one end of a step.
template <class V>
struct Drive {
  V g_mu{};
  Pair<V> feedback_x{}, feedback_y{};
};

template <bool two, bool saturated, class V>
[[gnu::always_inline]] inline Fields<V> slope(const Rates<V>& r, const Fields<V>& s, const Drive<V>& d) {
  const V one = LanesOf<V>::all(1);
  V intensity = s.xr * s.xr + s.xi * s.xi;
  if constexpr (two) intensity = intensity + (s.yr * s.yr + s.yi * s.yi);
  V carriers = s.carriers, spin = s.spin;  // as the light meets them
  if constexpr (saturated) {
    const V share = one / (one + r.saturation * intensity);
    carriers = carriers * share;
    spin = spin * share;
  }
  const V gain = carriers - one;
  Fields<V> out;
  if constexpr (!two) {
    const V ur = gain * s.xr, ui = gain * s.xi;
    out.xr = r.k * ur - r.k_alpha * ui + d.feedback_x.r;
    out.xi = r.k * ui + r.k_alpha * ur + d.feedback_x.i;
    out.carriers = d.g_mu - r.g * (s.carriers + carriers * intensity);
    return out;
  }
  const V ur = gain * s.xr - spin * s.yi, ui = gain * s.xi + spin * s.yr;
  const V vr = gain * s.yr + spin * s.xi, vi = gain * s.yi - spin * s.xr;
  out.xr = r.k * ur - r.k_alpha * ui - r.dichroism * s.xr + d.feedback_x.r;
  out.xi = r.k * ui + r.k_alpha * ur - r.dichroism * s.xi + d.feedback_x.i;
  out.yr = r.k * vr - r.k_alpha * vi + r.dichroism * s.yr + d.feedback_y.r;
  out.yi = r.k * vi + r.k_alpha * vr + r.dichroism * s.yi + d.feedback_y.i;
  const V half_cross = s.xi * s.yr - s.xr * s.yi, cross = half_cross + half_cross;
  out.carriers = d.g_mu - r.g * (s.carriers + carriers * intensity + spin * cross);
  out.spin = LanesOf<V>::all(0) - r.g * (spin * intensity + carriers * cross);  // its decay is exact
  return out;
}

/// One step. `begin` and `end`: what acts at its two ends; `jx`, `jy`: injection integrated over it; `xi`: four (one
/// polarisation: two) standard normals, null for none.
template <bool two, bool saturated, bool noisy, class V>
[[gnu::always_inline]] inline void step(const Rates<V>& r, Fields<V>& s, const Drive<V>& begin, const Drive<V>& end,
                                        const Pair<V>& jx, const Pair<V>& jy, const V* xi) {
  const V half = LanesOf<V>::all(typename LanesOf<V>::Scalar(0.5));
  const Fields<V> first = slope<two, saturated>(r, s, begin);
  Fields<V> ahead;
  ahead.carriers = s.carriers + first.carriers;
  if constexpr (two) ahead.spin = r.spin_keep * s.spin + r.spin_predict * first.spin;

  Pair<V> px = turned(r.whole_x, s.xr, s.xi), py{};
  px = {px.r + jx.r, px.i + jx.i};
  if constexpr (two) {
    py = turned(r.whole_y, s.yr, s.yi);
    py = {py.r + jy.r, py.i + jy.i};
  }
  if constexpr (noisy) {
    const V carriers = s.carriers + ahead.carriers;
    if constexpr (two) {
      const V spin = s.spin + ahead.spin;
      const V up = amplitude(r.noise * (carriers + spin)), down = amplitude(r.noise * (carriers - spin));
      const V ar = up * xi[0], ai = up * xi[1], br = down * xi[2], bi = down * xi[3];
      const Pair<V> fx = turned(r.half_x, ar + br, ai + bi), fy = turned(r.half_y, ai - bi, br - ar);  // -i (a - b)
      px = {px.r + fx.r, px.i + fx.i};
      py = {py.r + fy.r, py.i + fy.i};
    } else {
      const V sd = amplitude(r.noise * carriers);
      px = {px.r + sd * xi[0], px.i + sd * xi[1]};
    }
  }
  const Pair<V> qx = turned(r.whole_x, first.xr, first.xi);
  ahead.xr = px.r + qx.r;
  ahead.xi = px.i + qx.i;
  Pair<V> qy{};
  if constexpr (two) {
    qy = turned(r.whole_y, first.yr, first.yi);
    ahead.yr = py.r + qy.r;
    ahead.yi = py.i + qy.i;
  }
  const Fields<V> second = slope<two, saturated>(r, ahead, end);
  s.xr = px.r + half * (qx.r + second.xr);
  s.xi = px.i + half * (qx.i + second.xi);
  s.carriers = s.carriers + half * (first.carriers + second.carriers);
  if constexpr (two) {
    s.yr = py.r + half * (qy.r + second.yr);
    s.yi = py.i + half * (qy.i + second.yi);
    s.spin = r.spin_keep * s.spin + r.spin_first * first.spin + r.spin_second * second.spin;
  }
}

}  // namespace lightloop::spin_flip
