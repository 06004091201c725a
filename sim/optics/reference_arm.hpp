#pragma once
// The second arm of an interferometer: a plane beam on the camera, with a phase modulator and a shutter.
#include <cstdint>

#include "core/array.hpp"
#include "core/random.hpp"
#include "sim/optics/speckle.hpp"

namespace lightloop {

/// A reference beam of uniform power whose phase at each pixel is fixed and unknown.
///
/// r_p = sqrt(power) exp(i theta_p), theta_p uniform on (0, 2 pi). power: in units where one on input has E|H_ij|^2
/// = 1. Randomness: Stream reference_field, row 0, column = pixel (fabrication); phase_jitter, row = frame id (read).
class ReferenceArm {
 public:
  ReferenceArm() = default;
  ReferenceArm(std::uint64_t seed, std::uint64_t instance, Index pixels, double power);
  double power() const { return power_; }
  /// The beam of one frame: phase setting `phase_rad` plus a normal error of `jitter_rad`.
  ReferenceField beam(double phase_rad, double jitter_rad, std::uint64_t frame) const;

 private:
  double power_ = 0;
  Matrix<float> field_;  // rows: re, im
  Stream jitter_{0, 0, Purpose::phase_jitter};
};

}  // namespace lightloop
