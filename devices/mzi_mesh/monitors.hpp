#pragma once
// Power monitors at the shifters of sim:mzi_mesh: their noise, and what reading them takes.
#include "core/param.hpp"
#include "driver/api/twin.hpp"
#include "sim/optics/in_situ.hpp"

namespace lightloop::mzi_mesh {

inline constexpr double kFrameS = 1e-9, kPhotonM = 1550e-9;  ///< 1 ns a frame: assumed

/// Of an intensity, 1 that of a channel at full amplitude, P_s = photons h nu / frame_s: the electrical noise
/// monitor_noise, and with detector.noise = true that of a photodiode with the receivers' load and amplifier,
///   variance = monitor_noise^2 + S(R P_s I) B / (R P_s)^2,   S of sim/detection/photoreceiver.hpp, shot noise
///   included.
/// Monitors see all the light that passes them and take none of it (assumed).
MonitorNoise monitor_noise(const ParamSet& params);
/// Three exposures a sample - forwards, backwards, both - in each of which `shifters` monitors are read, by an
/// amplifier for a frame and a conversion each.
GradientCost monitor_cost(const ParamSet& params, Index shifters);

}  // namespace lightloop::mzi_mesh
