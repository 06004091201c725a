#include "devices/opu/physics.hpp"

#include <algorithm>
#include <cmath>

#include "devices/room.hpp"

namespace lightloop::opu {
namespace {

CameraModel camera_model(const ParamSet& p, bool noise) {
  CameraModel c;
  c.quantum_efficiency = p.real("camera.quantum_efficiency");
  c.exposure_s = p.real("camera.exposure");
  c.full_well_e = p.real("camera.full_well");
  c.gain_e_per_code = p.real("camera.gain");
  c.black_level = p.real("camera.black_level");
  c.bits = static_cast<int>(p.integer("camera.bits"));
  c.read_noise_e = noise ? p.real("camera.read_noise") : 0;
  c.dark_current_e_per_s = p.real("camera.dark_current");
  c.prnu = p.real("camera.prnu");
  c.dsnu_e = p.real("camera.dsnu");
  c.row_noise_e = noise ? p.real("camera.row_noise") : 0;
  c.width = p.integer("camera.width");
  c.shot_noise = noise;
  return c;
}

}  // namespace

Physics::Physics(const ParamSet& p)
    : seed(static_cast<std::uint64_t>(p.integer("seed"))),
      instance(static_cast<std::uint64_t>(p.integer("instance"))),
      inputs(p.integer("input.size")),
      pixels(p.integer("output.size")),
      noise(p.boolean("noise")),
      dmd(format_dmd({p.integer("dmd.mirrors"), p.integer("dmd.mirrors_per_input"), p.boolean("dmd.padding"),
                      p.real("dmd.off_contrast")},
                     inputs)),
      grain_weights(lightloop::grain_weights(p.real("medium.grains"))),
      medium_jitter(noise ? p.real("medium.jitter") : 0),
      drift{p.real("medium.drift_time"), p.real("medium.drift_step")},
      laser(seed, instance, noise ? p.real("laser.rin") : 0, p.real("laser.drift"), p.real("laser.drift_time")),
      laser_drift(p.real("laser.drift")),
      phase_jitter_rad(noise ? p.real("reference.phase_jitter") : 0),
      camera(seed, instance, camera_model(p, noise), pixels) {
  const auto on = static_cast<double>(p.integer("reference.on_inputs"));
  reference = ReferenceArm(seed, instance, pixels,
                           p.real("reference.power_ratio") * (on > 0 ? on : 0.5 * static_cast<double>(inputs)));
  photons_per_s = photon_flux(p.real("laser.pixel_power"), p.real("laser.wavelength")) * dmd.input_share;
  const double camera_s = std::max(p.real("camera.exposure"), p.real("camera.readout")) + p.real("camera.guard");
  frame_ns = std::llround(1e9 * std::max(p.real("dmd.frame_time"), camera_s));
  batch_s = p.real("cost.batch_time");
  power_w = p.real("cost.power");
}

DeviceInfo Physics::info() const {
  DeviceInfo info;
  info.kind = "projection";
  info.model = "sim:opu";
  info.serial = std::to_string(seed) + "." + std::to_string(instance);
  info.version = "1";
  info.input = {{inputs}, 1, "mirror state"};
  info.output = {{pixels}, camera.model().bits, "camera code"};
  info.aux_inputs = {{"reference_phase", 8, 0, "Phase of the reference beam, code c is 2 pi c / 256"},
                     {"reference_shutter", 1, 0, "1 opens the reference beam"}};
  info.stateful = drifts();
  info.deterministic = !noise;
  info.cost.frame_s = static_cast<double>(frame_ns) * 1e-9;
  info.cost.batch_s = batch_s;
  info.cost.power_w = power_w;
  return info;
}

Index frames_at_once(Index planes) { return std::clamp<Index>((Index{1} << 24) / planes, 1, 128); }

Medium::Medium(const Physics& physics) {
  const auto grains = static_cast<Index>(physics.grain_weights.size());
  const double bytes = 8.0 * static_cast<double>(physics.inputs + 1) * static_cast<double>(physics.pixels * grains);
  check_room("sim:opu transmission matrix", bytes, "Lower input.size, output.size or medium.grains.");
  matrix = TransmissionMatrix(physics.seed, physics.instance, physics.inputs, physics.pixels, grains);
  update_constant(physics);
}

bool Medium::advance(const Physics& physics, std::int64_t time_ns) {
  const std::uint64_t now = physics.drift.step_at(time_ns);
  if (now == step) return false;
  matrix.evolve(physics.drift.correlation(now - step), now);
  step = now;
  update_constant(physics);
  return true;
}

void Medium::update_constant(const Physics& physics) {
  const auto background = matrix.background();
  constant.resize(1, static_cast<Index>(background.size()));
  const auto out = constant.row(0);
  const auto amplitude = static_cast<float>(std::sqrt(physics.dmd.background_power));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = amplitude * background[i];
  if (physics.dmd.leak == 0) return;
  const auto leak = static_cast<float>(physics.dmd.leak);
  for (Index j = 0; j < matrix.inputs(); ++j) {
    const auto row = matrix.matrix().row(j);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += leak * row[i];
  }
}

}  // namespace lightloop::opu
