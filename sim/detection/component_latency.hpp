#pragma once
// How long a signal spends in the parts of an analog photonic layer.
#include <numbers>

namespace lightloop {

/// One clock of the 14 GS/s converter of component_energy.hpp.
inline constexpr double kDacLatencyS = 1 / 14e9;
/// A successive-approximation ADC samples, then decides bit after bit. 100 ps for each step: assumed, the clock of the
/// 10 GS/s converter of component_energy.hpp, several of which take turns.
inline double adc_latency_s(int bits) { return (bits + 1) * 100e-12; }
/// From 10 to 90 % of a step behind one pole: ln(9) / (2 pi bandwidth).
inline double rise_time_s(double bandwidth_hz) { return 2.1972245773362196 / (2 * std::numbers::pi * bandwidth_hz); }
/// The same of one pole with this noise bandwidth, pi / 2 times that of its cutoff.
inline double noise_rise_time_s(double noise_bandwidth_hz) {
  return rise_time_s(2 * noise_bandwidth_hz / std::numbers::pi);
}
/// Light through a waveguide: length n_g / c.
inline double path_latency_s(double length_m, double group_index) { return length_m * group_index / 299792458.0; }

inline constexpr double kSiliconGroupIndex = 4.2;  ///< of a 450 x 220 nm strip waveguide at 1550 nm
inline constexpr double kInterferometerM =
    3e-4;  ///< along the light, thermo-optic: assumed, published ones have 0.1-0.5 mm
/// Bandwidth of a receiver over the symbol rate: assumed, as intensity receivers are usually built.
inline constexpr double kReceiverBandwidth = 0.75;

}  // namespace lightloop
