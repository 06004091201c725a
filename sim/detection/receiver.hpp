#pragma once
// A photodiode and its converter, for signals that are one number per moment.
#include <cmath>
#include <cstdint>
#include <numbers>

#include "core/array.hpp"

namespace lightloop {

/// What a one-pole low-pass filter of bandwidth B keeps of its value over one step, exp(-2 pi B h); 0 for B = 0, which
/// stands for a detector without inertia: y <- keep y + (1 - keep) x.
inline double low_pass_keep(double bandwidth_hz, double step_s) {
  return bandwidth_hz > 0 ? std::exp(-2 * std::numbers::pi * bandwidth_hz * step_s) : 0.0;
}

struct ReceiverModel {
  double range = 1;     ///< signal at the highest code
  double noise_sd = 0;  ///< in units of the signal: thermal and amplifier noise, independent of the light
  int bits = 8;
};

/// code = clip(round((signal + noise_sd xi) (2^bits - 1) / range), 0, 2^bits - 1). xi is the caller's standard normal;
/// the filter acts before, on the light.
class Receiver {
 public:
  Receiver() = default;
  explicit Receiver(const ReceiverModel& model);

  bool noisy() const { return noise_ > 0; }
  /// Adds 1 to `clipped` where the code was clipped at either end.
  std::uint32_t convert(double signal, float xi, Index& clipped) const {
    const double code = std::rint(gain_ * signal + noise_ * static_cast<double>(xi));
    const double stored = code < 0 ? 0 : (code > top_ ? top_ : code);
    clipped += code != stored;
    return static_cast<std::uint32_t>(stored);
  }

 private:
  double gain_ = 255, noise_ = 0, top_ = 255;  // codes per unit of signal, sd in codes
};

/// Noise sd of a receiver whose full range has `snr` times the power of its noise.
double noise_for_snr(double range, double snr);

}  // namespace lightloop
