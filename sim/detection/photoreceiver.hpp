#pragma once
// A photodiode with its transimpedance amplifier: where noise comes from, and how much a filter leaves of it.
#include <vector>

#include "core/array.hpp"

namespace lightloop {

inline constexpr double kElectronCharge = 1.602176634e-19;  ///< C
inline constexpr double kBoltzmann = 1.380649e-23;          ///< J/K

struct PhotoreceiverModel {
  double responsivity_a_w = 1;
  double dark_a = 0;
  double load_ohm = 50;  ///< whose thermal noise counts; 0: none
  double temperature_k = 300;
  double amplifier_a_hz = 0;  ///< input-referred amplifier noise, A / sqrt(Hz)
  double rin_per_hz = 0;      ///< relative intensity noise of the light, 1 / Hz

  /// One-sided spectral density in A^2/Hz while `current_a` flows: 2 q (I + I_dark) + 4 k T / R + amplifier^2 + rin
  /// I^2.
  double density(double current_a) const;
  /// What no light changes: dark current, load and amplifier.
  double floor_density() const { return density(0); }
};

/// Equivalent noise bandwidth of a Butterworth low-pass of this order (>= 1): fc (pi / 2 n) / sin(pi / 2 n).
double butterworth_noise_bandwidth(int order, double cutoff_hz);

/// What is seen of symbols behind a Butterworth low-pass that is read at the end of each: with the drive constant over
/// every symbol the reading is sum_k h_k x_(n - k), h_k = s((k + 1) T) - s(k T), s the step response,
///   s(t) = 1 + sum_i c_i exp(p_i t),   p_i = wc exp(i pi (2 i + order - 1) / (2 order)), i = 1 .. order
/// The taps h_0 .. h_K sum to 1; those after the last of 1e-6 or more are left out. order 1..8, cutoff and symbol above
/// 0; throws OutOfRange.
std::vector<double> symbol_response(int order, double cutoff_hz, double symbol_s);
/// Symbols after which a step has settled to 1e-6 for good: a bound of the number of taps.
double symbols_to_settle(int order, double cutoff_hz, double symbol_s);

/// A Butterworth low-pass on samples (bilinear transform, cutoff kept), one signal at a time.
///
/// White samples of variance v leave with v * noise_gain(). Noise of one-sided density S sampled at rate f has variance
/// S f / 2 before the filter and S f / 2 * noise_gain() = S * noise_bandwidth_hz() behind it: filtering takes away what
/// lies beyond the bandwidth once, not twice.
class LowPass {
 public:
  /// order 1..8, 0 < cutoff < sample rate / 2; throws OutOfRange.
  LowPass(int order, double cutoff_hz, double sample_hz);
  double next(double x);
  void reset();
  double noise_gain() const { return noise_gain_; }
  double noise_bandwidth_hz() const { return noise_gain_ * sample_hz_ / 2; }

 private:
  struct Section {
    double b0, b1, b2, a1, a2;
    double z1 = 0, z2 = 0;
  };
  std::vector<Section> sections_;
  double sample_hz_, noise_gain_ = 0;
};

/// Photocurrent at full scale for which noise in bandwidth B is at most 1 / sqrt(12) of a step of 2^bits:
/// shot noise alone, 24 q B 4^bits, and thermal noise of a load alone, 2^bits sqrt(48 k T B / R).
double shot_limited_current(double bits, double bandwidth_hz);
double thermal_limited_current(double bits, double bandwidth_hz, double load_ohm, double temperature_k);

}  // namespace lightloop
