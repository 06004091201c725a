#pragma once
// The receivers that optical layers share: photodiodes with an amplifier, and the light's own intensity noise, as
// settings (sim/detection/photoreceiver.hpp has the densities, coherent.hpp the balanced pair).
//
// Homodyne detection (homodyne_params): a quadrature y, 1 at the power P_s of a signal of full amplitude, beats with a
// local oscillator of local_power_w at a balanced pair. detector.noise = true adds noise of
//   sd = sqrt(S B) / (2 R sqrt(local_power_w P_s)),   S = 4 k T / R_L + amplifier^2 + 4 q I_dark (two diodes)
// to every quadrature, beside the vacuum's, which is the shot noise of the local oscillator. B is the noise bandwidth
// detector.bandwidth_hz. Intensity noise of the signal's laser is common to all outputs of a frame: amplitudes go with
// the root of the power, so y becomes y (1 + sqrt(rin B) / 2 xi). What the local oscillator's intensity noise adds to
// the currents is equal in both diodes and cancels; that it scales the beat as well is not modelled apart: with one
// laser for both, laser.rin_hz is four times the laser's.
//
// Defaults, all assumed: 1 A/W, 10 nA, 1 kohm at 300 K, 1 mW of local oscillator. preset=receiver (homodyne_preset)
// switches them on, with an amplifier of 10 pA / sqrt(Hz) and -150 dB/Hz of intensity noise: usual for transimpedance
// amplifiers of a few GHz and for distributed-feedback lasers.
#include <string>
#include <vector>

#include "core/param.hpp"
#include "sim/detection/photoreceiver.hpp"

namespace lightloop {

/// Where devices differ.
struct DetectorDefaults {
  double bandwidth_hz = 0.75e9, rin_hz = 0;
  std::string bandwidth_help = "noise bandwidth of a receiver";
  std::string only_with = {};       ///< when load and amplifier count (ParamInfo::only_with)
  std::string dark_only_with = {};  ///< when dark current counts
};

/// detector.responsivity, .dark_a, .load_ohm, .temperature_k, .amplifier_a2_hz, .bandwidth_hz, laser.rin_hz.
std::vector<ParamInfo> detector_params(const DetectorDefaults& defaults);

/// The receiver at one amplifier with the dark current of so many photodiodes; laser noise is left to the caller.
PhotoreceiverModel photoreceiver(const ParamSet& params, double diodes);

/// detector_params() for a balanced pair, detector.noise and local_power_w. `light`: ",name,name", the sources of error
/// that change how much light comes (ParamInfo::only_with).
std::vector<ParamInfo> homodyne_params(double bandwidth_hz, const std::string& light);
Settings homodyne_preset();

struct HomodyneNoise {
  double quadrature_sd = 0;  ///< electrical, full amplitude 1
  double local_w = 0;        ///< of local oscillator at each output; 0 where the receivers' noise is off
  double intensity_sd = 0;   ///< relative, of the amplitude of all outputs
};
/// signal_w: power of a channel at full amplitude.
HomodyneNoise homodyne_noise(const ParamSet& params, double signal_w);

}  // namespace lightloop
