#pragma once
// Optical power of a laser over frames and time, and how many photons it is.
#include <array>
#include <cstdint>

#include "core/random.hpp"

namespace lightloop {

/// Photons per second in `power_w` of light at `wavelength_m`: P lambda / (h c).
double photon_flux(double power_w, double wavelength_m);

/// Relative power of a laser whose mean is 1: gain(frame, time) = (1 + rin z_frame) (1 + drift d(time)).
///
/// z is standard normal, fresh per frame: Stream laser_power, row = frame id (read). d is a smooth stationary random
/// function of unit variance, a sum of 8 cosines with random phases and periods between drift_time and 8 drift_time:
/// a pure function of time, so a frame's power needs no history. Stream laser_drift, row 0 (drift). Valid while
/// rin and drift are well below 1; a negative power is given as 0.
class LaserPower {
 public:
  LaserPower() = default;
  LaserPower(std::uint64_t seed, std::uint64_t instance, double rin, double drift, double drift_time_s);
  double gain(std::uint64_t frame, double time_s) const;
  /// The slow part alone.
  double drift_gain(double time_s) const;

 private:
  static constexpr int kTones = 8;
  double rin_ = 0, drift_ = 0;
  std::array<double, kTones> frequency_hz_{}, phase_rad_{};
  Stream noise_{0, 0, Purpose::laser_power};
};

}  // namespace lightloop
