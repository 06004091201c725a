#pragma once
// Constants of one OPU derived from its parameters, and the state of its medium.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/device.hpp"
#include "sim/detection/camera.hpp"
#include "sim/lasers/power.hpp"
#include "sim/media/medium_drift.hpp"
#include "sim/media/transmission_matrix.hpp"
#include "sim/optics/dmd.hpp"
#include "sim/optics/reference_arm.hpp"
#include "sim/optics/speckle.hpp"

namespace lightloop::opu {

/// Everything settable, and the named presets.
std::vector<ParamInfo> params();
std::map<std::string, Settings> presets();

/// Derived constants. Building them throws OutOfRange where the parameters do not fit each other.
struct Physics {
  explicit Physics(const ParamSet& params);

  std::uint64_t seed = 0, instance = 0;
  Index inputs = 0, pixels = 0;
  bool noise = true;
  DmdField dmd;
  std::vector<float> grain_weights;
  double medium_jitter = 0;
  MediumDrift drift;
  LaserPower laser;
  double laser_drift = 0;
  ReferenceArm reference;
  double phase_jitter_rad = 0;
  Camera camera;
  double photons_per_s = 0;  ///< photon rate on a pixel per unit of |s|^2
  std::int64_t frame_ns = 0;
  double batch_s = 0, power_w = 0;

  bool drifts() const { return drift.on() || laser_drift > 0; }
  DeviceInfo info() const;
};

/// Frames whose fields (`planes` floats each) are held at once: a whole tile of gemm, fewer where that would take more
/// than 64 MiB. Results do not depend on it.
Index frames_at_once(Index planes);

/// The medium at a moment, with the field that does not depend on the input.
struct Medium {
  Medium() = default;
  /// Throws OutOfRange when the transmission matrix would need more than 64 GiB.
  explicit Medium(const Physics& physics);
  /// Moves the medium to the grid step of `time_ns`; true when it moved.
  bool advance(const Physics& physics, std::int64_t time_ns);
  void update_constant(const Physics& physics);

  std::uint64_t step = 0;
  TransmissionMatrix matrix;
  Matrix<float> constant;  ///< (1, 2 * grains * pixels): leaking and padding mirrors
};

}  // namespace lightloop::opu
