#pragma once
// What the electrical and thermal parts of an analog photonic layer draw. Figures as collected by the energy model of
// SimPhony (ScopeX-ASU) from published converters, modulators and heaters; scaling with the bits as there.
#include <cmath>
#include <numbers>

namespace lightloop {

/// DAC: 50 mW at 14 GS/s and 8 bits, with 2^b / (b + 1). SAR ADC: 14.8 mW at 10 GS/s and 8 bits, with b. Per sample.
inline double dac_energy_j(int bits) { return 3.57e-12 * std::exp2(bits - 8) * 9 / (bits + 1); }
inline double adc_energy_j(int bits) { return 1.48e-12 * bits / 8; }

inline constexpr double kModulatorJ = 250e-15;                      ///< per symbol: middle of 50-450 fJ
inline constexpr double kAmplifierW = 3e-3;                         ///< one transimpedance amplifier
inline constexpr double kHeaterWPerRad = 30e-3 / std::numbers::pi;  ///< held by a thermo-optic phase
inline constexpr double kHeaterSettleS = 10e-6;
inline constexpr double kWallPlug = 0.2;  ///< light out of a laser per electrical power in

inline double photon_energy_j(double wavelength_m) { return 6.62607015e-34 * 299792458.0 / wavelength_m; }

}  // namespace lightloop
