#include "sim/memory/resistive.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"

namespace lightloop::resistive {
namespace {

using Polynomial = std::array<double, 5>;  // microsiemens, ascending powers of u
constexpr Polynomial kSecond{0.348, 16.030, -43.853, 45.393, -16.815};
constexpr Polynomial kDay{0.701, 22.086, -50.773, 47.095, -16.458};
constexpr Polynomial kTwoDays{0.782, 20.274, -43.507, 37.062, -11.934};
constexpr double kDayS = 86400;

/// The spread at one time as a polynomial: between two fits, weighted by the logarithm of the time; and the one before
/// it, below which it must not fall.
struct AtTime {
  Polynomial now{}, floor{};
};

AtTime at_time(double t_s) {
  if (t_s > kLastS)
    throw OutOfRange("age of a resistive cell", std::to_string(t_s) + " s", "at most 2 days: nothing is known of later",
                     "Write the weights again, or use cell.kind=phase_change.");
  const bool late = t_s > kDayS;
  const Polynomial &from = late ? kDay : kSecond, &to = late ? kTwoDays : kDay;
  const double begin = late ? kDayS : kFirstS, end = late ? kLastS : kDayS;
  const double part = std::log(std::max(t_s, kFirstS) / begin) / std::log(end / begin);
  AtTime at{.floor = from};
  for (std::size_t i = 0; i < from.size(); ++i) at.now[i] = ((1 - part) * from[i] + part * to[i]) / kMaxMicrosiemens;
  for (double& c : at.floor) c /= kMaxMicrosiemens;
  return at;
}

template <class Number>
Number value(const std::array<Number, 5>& p, Number u) {
  return p[0] + u * (p[1] + u * (p[2] + u * (p[3] + u * p[4])));
}

}  // namespace

double spread(double u, double t_s) {
  const AtTime at = at_time(t_s);
  u = std::clamp(u, 0.0, 1.0);
  return std::max(value(at.now, u), value(at.floor, u));
}

void relax(std::span<const float> target, std::span<const float> error, std::span<const float> xi, double t_s,
           std::span<float> out) {
  const AtTime at = at_time(t_s), written = at_time(kFirstS);
  std::array<float, 5> now{}, floor{}, first{};
  std::ranges::copy(at.now, now.begin());
  std::ranges::copy(at.floor, floor.begin());
  std::ranges::copy(written.now, first.begin());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float u = std::clamp(target[i], 0.0f, 1.0f);
    const float before = value(first, u), sd = std::max(value(now, u), value(floor, u));
    const float grown = std::sqrt(std::max(sd * sd - before * before, 0.0f));
    out[i] = std::max(0.0f, target[i] + before * error[i] + grown * xi[i]);
  }
}

}  // namespace lightloop::resistive
