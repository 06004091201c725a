#include "devices/mzi_mesh/monitors.hpp"

#include "devices/detector.hpp"
#include "devices/streams.hpp"
#include "sim/detection/component_energy.hpp"

namespace lightloop::mzi_mesh {

MonitorNoise monitor_noise(const ParamSet& params) {
  const double electrical = params.real("monitor_noise");
  MonitorNoise monitors{.floor = electrical * electrical,
                        .noise = Stream(static_cast<std::uint64_t>(params.integer("seed")), 0, kMonitorRead)};
  if (!params.boolean("detector.noise")) return monitors;
  const PhotoreceiverModel receiver = photoreceiver(params, 1);
  const double full_a = receiver.responsivity_a_w * params.real("photons") * photon_energy_j(kPhotonM) / kFrameS;
  const double per_density = receiver_bandwidth_hz(params) / (full_a * full_a);
  monitors.floor += receiver.floor_density() * per_density;
  monitors.shot = (receiver.density(full_a) - receiver.floor_density()) * per_density;
  return monitors;
}

GradientCost monitor_cost(const ParamSet& params, Index shifters) {
  const auto readings = static_cast<double>(shifters);
  const double conversion = adc_energy_j(static_cast<int>(params.integer("adc.bits")));
  return {.exposures = 3, .readings = readings, .reading_j = readings * (kAmplifierW * kFrameS + conversion)};
}

}  // namespace lightloop::mzi_mesh
