#include "devices/detector.hpp"

#include <cmath>

#include "devices/param_list.hpp"
#include "sim/detection/coherent.hpp"

namespace lightloop {

std::vector<ParamInfo> detector_params(const DetectorDefaults& d) {
  return {
      {"detector.bandwidth_hz", "Hz", d.bandwidth_hz, 1, 1e12, d.bandwidth_help},
      {"detector.responsivity", "A/W", 1.0, 0.01, 2, "of a photodiode"},
      {"detector.dark_a", "A", 1e-8, 0, 1e-4, "dark current of a photodiode", {}, false, 0.0, d.dark_only_with},
      {"detector.load_ohm", "ohm", 1e3, 0, 1e12, "whose thermal noise counts; 0: none", {}, false, 1e12, d.only_with},
      {"detector.amplifier_a2_hz",
       "A^2/Hz",
       0.0,
       0,
       1e-18,
       "density of the amplifier, referred to its input",
       {},
       false,
       0.0,
       d.only_with},
      {"detector.temperature_k", "K", 300.0, 0, 1000, "of the load"},
      {"laser.rin_hz", "1/Hz", d.rin_hz, 0, 1e-8, "relative intensity noise", {}, false, 0.0},
  };
}

PhotoreceiverModel photoreceiver(const ParamSet& params, double diodes) {
  return {.responsivity_a_w = params.real("detector.responsivity"),
          .dark_a = diodes * params.real("detector.dark_a"),
          .load_ohm = params.real("detector.load_ohm"),
          .temperature_k = params.real("detector.temperature_k"),
          .amplifier_a_hz = std::sqrt(params.real("detector.amplifier_a2_hz"))};
}

std::vector<ParamInfo> homodyne_params(double bandwidth_hz, const std::string& light) {
  const std::string on = "detector.noise=true" + light;
  return param_list(
      {{{"detector.noise", "", false, 0, 0, "noise of the receivers' electronics: load, amplifier and dark current"}},
       detector_params({.bandwidth_hz = bandwidth_hz, .only_with = on, .dark_only_with = on}),
       {{"local_power_w", "W", 1e-3, 1e-12, 10, "power of the local oscillator at a balanced pair"}}});
}

Settings homodyne_preset() {
  return {{"detector.noise", true}, {"detector.amplifier_a2_hz", 1e-22}, {"laser.rin_hz", 1e-15}};
}

HomodyneNoise homodyne_noise(const ParamSet& params, double signal_w) {
  const double bandwidth = params.real("detector.bandwidth_hz");
  HomodyneNoise noise;
  if (params.boolean("detector.noise")) {
    noise.local_w = params.real("local_power_w");
    noise.quadrature_sd = quadrature_noise_sd(photoreceiver(params, 2), bandwidth, noise.local_w, signal_w);
  }
  noise.intensity_sd = std::sqrt(params.real("laser.rin_hz") * bandwidth) / 2;
  return noise;
}

}  // namespace lightloop
