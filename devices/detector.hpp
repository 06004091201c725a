#pragma once
// The receivers that layers share: photodiodes with an amplifier, and the light's own intensity noise, as settings
// (sim/detection/photoreceiver.hpp has the densities, coherent.hpp the balanced pair).
//
// Bandwidth. With detector.order = 0 detector.bandwidth_hz is the noise bandwidth B, and frames know nothing of each
// other. With an order n of 1 to 8 the receiver has a Butterworth filter of that cutoff and is read at the end of every
// frame: B is the filter's noise bandwidth, cutoff (pi / 2 n) / sin(pi / 2 n), and what is read of frame f without
// noise becomes sum_k h_k y_(f - k), the sampled response to rectangular symbols (devices/symbol_filter.hpp):
// inter-symbol interference. Noise of neighbouring frames is independent, and that of light is of the frame's own
// light. A white noise of density S has the variance S B either way.
//
// Homodyne detection (homodyne_params): a quadrature y, 1 at the power P_s of a signal of full amplitude, beats with a
// local oscillator of local_power_w at a balanced pair. detector.noise = true adds noise of
//   sd = sqrt(S B) / (2 R sqrt(local_power_w P_s)),   S = 4 k T / R_L + amplifier^2 + 4 q I_dark (two diodes)
// to every quadrature, beside the vacuum's, which is the shot noise of the local oscillator: 2 q R local_power_w more
// in S where a device has detector.shot, which neglects the signal's own. Intensity noise of the signal's laser is
// common to all outputs of a frame: amplitudes go with the root of the power, so y becomes y (1 + sqrt(rin B) / 2 xi).
// What the local oscillator's intensity noise adds to the currents is equal in both diodes and cancels; that it scales
// the beat as well is not modelled apart: with one laser for both, laser.rin_hz is four times the laser's.
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
  double bandwidth_hz = 0.75e9, least_bandwidth_hz = 1, rin_hz = 0, load_ohm = 1e3;
  std::string bandwidth_help = "noise bandwidth of a receiver, or the cutoff of its filter";
  std::string only_with = {};       ///< when load and amplifier count (ParamInfo::only_with)
  std::string dark_only_with = {};  ///< when dark current counts
  bool diodes = true;               ///< whether there is light, with dark current and intensity noise,
  bool responsivity = true;         ///< counted in A/W,
  bool filter = true;               ///< and an order
};

/// detector.bandwidth_hz, .load_ohm, .amplifier_a2_hz, .temperature_k, .order, .responsivity, .dark_a, laser.rin_hz.
std::vector<ParamInfo> detector_params(const DetectorDefaults& defaults);
/// detector.noise, off by default: whether receivers that could be perfect have what detector_params() say. `what`:
/// what they have.
ParamInfo receiver_switch(const std::string& what);

/// The receiver at one amplifier with the dark current of so many photodiodes; laser noise is left to the caller. What
/// a device has no setting of is 0, the responsivity 1.
PhotoreceiverModel photoreceiver(const ParamSet& params, double diodes);
/// B: detector.bandwidth_hz, or the noise bandwidth of the filter of detector.order.
double receiver_bandwidth_hz(const ParamSet& params);
/// How long a receiver takes from 10 to 90 % of a step: of the filter's cutoff, or of one pole of that bandwidth.
double receiver_rise_s(const ParamSet& params);

/// detector.noise, detector_params() for a balanced pair, local_power_w. `light`: ",name,name", the sources of error
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
