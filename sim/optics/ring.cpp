#include "sim/optics/ring.hpp"

#include <algorithm>
#include <cmath>

namespace lightloop {

double all_pass_ring(double a, double r, double phi) {
  const double both = 2 * a * r * std::cos(phi);
  return (a * a + r * r - both) / (1 + a * a * r * r - both);
}

double all_pass_ring_slope(double a, double r, double phi) {
  // T = 1 - (1 - a^2)(1 - r^2) / D, so dT = (1 - a^2)(1 - r^2) D' / D^2 and d sqrt(T) = dT / (2 sqrt(T)).
  const double d = 1 + a * a * r * r - 2 * a * r * std::cos(phi), t = all_pass_ring(a, r, phi);
  if (t <= 0) return 0;
  return (1 - a * a) * (1 - r * r) * 2 * a * r * std::sin(phi) / (d * d) / (2 * std::sqrt(t));
}

AddDropRing::Split AddDropRing::split(double phi) const {
  const double round = r1 * r2 * a, both = 2 * round * std::cos(phi), d = 1 - both + round * round;
  return {(r2 * r2 * a * a - both + r1 * r1) / d, (1 - r1 * r1) * (1 - r2 * r2) * a / d};
}

double AddDropRing::weight(double phi) const {
  const Split s = split(phi);
  return s.drop - s.through;
}

namespace {
/// T_d - T_t = -1 + C / D with this C: T_t = 1 - (1 - r1^2)(1 - r2^2 a^2) / D.
double lift(const AddDropRing& ring) {
  return (1 - ring.r1 * ring.r1) * ((1 - ring.r2 * ring.r2) * ring.a + 1 - ring.r2 * ring.r2 * ring.a * ring.a);
}
}  // namespace

double AddDropRing::weight_slope(double phi) const {
  const double round = r1 * r2 * a, d = 1 - 2 * round * std::cos(phi) + round * round;
  return -lift(*this) * 2 * round * std::sin(phi) / (d * d);
}

double AddDropRing::phase_of_weight(double weight) const {
  const double round = r1 * r2 * a;
  if (weight <= -1) return std::numbers::pi;
  const double cosine = (1 + round * round - lift(*this) / (1 + weight)) / (2 * round);
  return std::acos(std::clamp(cosine, -1.0, 1.0));
}

double AddDropRing::drop_delay() const {
  const double round = r1 * r2 * a;
  return (1 + round) / (2 * (1 - round));
}

double AddDropRing::finesse() const {
  const double round = r1 * r2 * a;
  return std::numbers::pi * std::sqrt(round) / (1 - round);
}

double resolved_channels(double finesse, double range) {
  return 2 * finesse / std::numbers::pi * std::acosh(std::sqrt(2 / (1 + range)));
}

double measured_self_coupling(double radius_m, double gap_m) {
  using M = MeasuredRings;
  return std::cos(
      std::exp(M::kCoupling0 + M::kCouplingGap * gap_m * 1e6 + M::kCouplingRadius * std::log(radius_m * 1e6)));
}

}  // namespace lightloop
