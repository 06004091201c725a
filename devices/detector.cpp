#include "devices/detector.hpp"

#include <cmath>

#include "devices/param_list.hpp"
#include "sim/detection/coherent.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop {
namespace {
int filter_order(const ParamSet& params) { return static_cast<int>(params.integer("detector.order")); }
bool filtered(const ParamSet& params) { return params.has("detector.order") && filter_order(params) > 0; }
}  // namespace

std::vector<ParamInfo> detector_params(const DetectorDefaults& d) {
  const Value unfiltered = std::int64_t{0};
  std::vector<ParamInfo> all = {
      {"detector.bandwidth_hz", "Hz", d.bandwidth_hz, d.least_bandwidth_hz, 1e12, d.bandwidth_help},
      {"detector.load_ohm",
       "ohm",
       d.load_ohm,
       0,
       1e12,
       "whose thermal noise counts; 0: none",
       {},
       false,
       1e12,
       d.only_with},
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
  };
  if (d.filter)
    all.push_back(
        {"detector.order",
         "1",
         unfiltered,
         0,
         8,
         "order of the receiver's Butterworth filter, which lets former frames through; 0: noise bandwidth alone",
         {},
         true,
         unfiltered});
  if (d.responsivity) all.push_back({"detector.responsivity", "A/W", 1.0, 0.01, 2, "of a photodiode"});
  if (d.diodes) {
    all.push_back(
        {"detector.dark_a", "A", 1e-8, 0, 1e-4, "dark current of a photodiode", {}, false, 0.0, d.dark_only_with});
    all.push_back({"laser.rin_hz", "1/Hz", d.rin_hz, 0, 1e-8, "relative intensity noise", {}, false, 0.0});
  }
  return all;
}

ParamInfo receiver_switch(const std::string& what) {
  return {"detector.noise", "", false, 0, 0, "noise of the receivers' electronics: " + what};
}

PhotoreceiverModel photoreceiver(const ParamSet& params, double diodes) {
  const auto there = [&](const char* name, double otherwise) {
    return params.has(name) ? params.real(name) : otherwise;
  };
  return {.responsivity_a_w = there("detector.responsivity", 1),
          .dark_a = diodes * there("detector.dark_a", 0),
          .load_ohm = params.real("detector.load_ohm"),
          .temperature_k = params.real("detector.temperature_k"),
          .amplifier_a_hz = std::sqrt(params.real("detector.amplifier_a2_hz"))};
}

double receiver_bandwidth_hz(const ParamSet& params) {
  const double bandwidth = params.real("detector.bandwidth_hz");
  return filtered(params) ? butterworth_noise_bandwidth(filter_order(params), bandwidth) : bandwidth;
}

double receiver_rise_s(const ParamSet& params) {
  const double bandwidth = params.real("detector.bandwidth_hz");
  return filtered(params) ? rise_time_s(bandwidth) : noise_rise_time_s(bandwidth);
}

std::vector<ParamInfo> homodyne_params(double bandwidth_hz, const std::string& light) {
  const std::string on = "detector.noise=true" + light;
  return param_list({{receiver_switch("load, amplifier and dark current")},
                     detector_params({.bandwidth_hz = bandwidth_hz, .only_with = on, .dark_only_with = on}),
                     {{"local_power_w", "W", 1e-3, 1e-12, 10, "power of the local oscillator at a balanced pair"}}});
}

Settings homodyne_preset() {
  return {{"detector.noise", true}, {"detector.amplifier_a2_hz", 1e-22}, {"laser.rin_hz", 1e-15}};
}

HomodyneNoise homodyne_noise(const ParamSet& params, double signal_w) {
  const double bandwidth = receiver_bandwidth_hz(params);
  HomodyneNoise noise;
  if (params.boolean("detector.noise")) {
    noise.local_w = params.real("local_power_w");
    PhotoreceiverModel receiver = photoreceiver(params, 2);
    if (params.has("detector.shot") && params.boolean("detector.shot"))  // as of a dark current that large
      receiver.dark_a += receiver.responsivity_a_w * noise.local_w;
    noise.quadrature_sd = quadrature_noise_sd(receiver, bandwidth, noise.local_w, signal_w);
  }
  noise.intensity_sd = std::sqrt(params.real("laser.rin_hz") * bandwidth) / 2;
  return noise;
}

}  // namespace lightloop
