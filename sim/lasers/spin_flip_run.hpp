#pragma once
// The loop over steps. Private to spin_flip.
#include <type_traits>

#include "core/denormals.hpp"
#include "sim/lasers/spin_flip_lanes.hpp"

namespace lightloop::spin_flip {

template <class V>
void LaserLanes<V>::advance(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
                            double* mean_x, double* mean_y) {
  const FlushDenormals flush;
  bool saturated = false;
  for (const LaserModel& m : models_) saturated |= m.saturation != 0;
  const auto go = [&](auto two, auto sat, auto noisy) {
    run<two.value, sat.value, noisy.value>(steps, pump, injected, normals, stride, mean_x, mean_y);
  };
  const auto choose = [&](auto two, auto sat) {
    if (normals)
      go(two, sat, std::true_type{});
    else
      go(two, sat, std::false_type{});
  };
  const auto with = [&](auto two) {
    if (saturated)
      choose(two, std::true_type{});
    else
      choose(two, std::false_type{});
  };
  if (grid_.two_polarisations)
    with(std::true_type{});
  else
    with(std::false_type{});
}

template <class V>
template <bool two, bool saturated, bool noisy>
void LaserLanes<V>::run(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
                        double* mean_x, double* mean_y) {
  constexpr std::size_t parts = two ? 4 : 2;
  const std::size_t slots = static_cast<std::size_t>(grid_.delay_steps);
  // the polarisation that feeds x, and the one that feeds y
  const std::size_t into_x = two && grid_.feedback != FeedbackPath::isotropic ? 2 : 0, into_y = two ? 2 - into_x : 0;
  const Rates<V>& r = rates_;
  Drive<V> begin, end;
  begin.g_mu = end.g_mu = r.g * LanesOf<V>::load(pump);
  const V light = LanesOf<V>::load(injected);
  const Pair<V> jx{r.injected_x.r * light, r.injected_x.i * light}, jy{r.injected_y.r * light, r.injected_y.i * light};
  const auto feed = [&](Drive<V>& drive, const V* from) {
    drive.feedback_x = turned(r.feedback_x, from[into_x], from[into_x + 1]);
    if constexpr (two) drive.feedback_y = turned(r.feedback_y, from[into_y], from[into_y + 1]);
  };
  feed(begin, oldest_);

  Fields<V> s = fields_;
  V filtered_x = filtered_x_, filtered_y = filtered_y_, sum_x{}, sum_y{};
  std::size_t slot = slot_;
  for (Index n = 0; n < steps; ++n) {
    slot = slot + 1 == slots ? 0 : slot + 1;
    V* const then = &past_[slot * parts];
    feed(end, then);
    if (n + 1 == steps)
      for (std::size_t c = 0; c < parts; ++c) oldest_[c] = then[c];
    V xi[4];
    if constexpr (noisy)
      for (Index c = 0; c < (two ? 4 : 2); ++c) xi[c] = LanesOf<V>::load(normals + (n * 4 + c) * stride);
    step<two, saturated, noisy>(r, s, begin, end, jx, jy, xi);
    begin = end;
    then[0] = s.xr;
    then[1] = s.xi;
    filtered_x = r.filter_keep * filtered_x + r.filter_take * (s.xr * s.xr + s.xi * s.xi);
    sum_x = sum_x + filtered_x;
    if constexpr (two) {
      then[2] = s.yr;
      then[3] = s.yi;
      filtered_y = r.filter_keep * filtered_y + r.filter_take * (s.yr * s.yr + s.yi * s.yi);
      sum_y = sum_y + filtered_y;
    }
  }
  fields_ = s;
  filtered_x_ = filtered_x;
  filtered_y_ = filtered_y;
  slot_ = slot;
  for (int lane = 0; lane < kLanes; ++lane) {
    mean_x[lane] = static_cast<double>(at(sum_x, lane)) / static_cast<double>(steps);
    mean_y[lane] = static_cast<double>(at(sum_y, lane)) / static_cast<double>(steps);
  }
}

}  // namespace lightloop::spin_flip
