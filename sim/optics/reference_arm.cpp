#include "sim/optics/reference_arm.hpp"

#include <cmath>
#include <numbers>

namespace lightloop {

ReferenceArm::ReferenceArm(std::uint64_t seed, std::uint64_t instance, Index pixels, double power)
    : power_(power), field_(2, pixels), jitter_(seed, instance, Purpose::phase_jitter) {
  const Stream stream(seed, instance, Purpose::reference_field);
  const auto phase = field_.row(0);
  stream.uniform(0, 0, phase);
  const double amplitude = std::sqrt(power);
  for (Index p = 0; p < pixels; ++p) {
    const double theta = 2 * std::numbers::pi * static_cast<double>(field_(0, p));
    field_(0, p) = static_cast<float>(amplitude * std::cos(theta));
    field_(1, p) = static_cast<float>(amplitude * std::sin(theta));
  }
}

ReferenceField ReferenceArm::beam(double phase_rad, double jitter_rad, std::uint64_t frame) const {
  if (jitter_rad > 0) phase_rad += jitter_rad * jitter_.normal(frame, 0);
  return {field_.row(0), field_.row(1), static_cast<float>(std::cos(phase_rad)),
          static_cast<float>(std::sin(phase_rad))};
}

}  // namespace lightloop
