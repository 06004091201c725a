#pragma once
// Purposes of the draws that devices make beside those of core/random.hpp's list, whose numbers 60 to 79 are kept for
// them: append, never renumber.
#include "core/random.hpp"

namespace lightloop {

inline constexpr auto kPendulaFabrication = static_cast<Purpose>(60);
inline constexpr auto kPendulaRead = static_cast<Purpose>(61);
inline constexpr auto kWaveMatrix = static_cast<Purpose>(62);     ///< fabrication: a matrix that nobody has measured
inline constexpr auto kWaveScattered = static_cast<Purpose>(63);  ///< drift: where scattered power goes anew
inline constexpr auto kWaveRead = static_cast<Purpose>(64);
inline constexpr auto kConverterInput = static_cast<Purpose>(65);   ///< read: behind a DAC
inline constexpr auto kConverterOutput = static_cast<Purpose>(66);  ///< read: behind what bends the output
inline constexpr auto kLaserIntensity = static_cast<Purpose>(67);   ///< read: of light that all outputs share
inline constexpr auto kMonitorRead = static_cast<Purpose>(68);      ///< read: of monitors inside a device
inline constexpr auto kDacRounding = static_cast<Purpose>(69);      ///< read: to which level a DAC rounds
inline constexpr auto kAdcRounding = static_cast<Purpose>(70);      ///< read: to which code an ADC rounds

}  // namespace lightloop
