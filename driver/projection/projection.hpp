#pragma once
// Turns a device of kind "projection" (codes in, codes out) into mathematics: |Hx|^2 and linear Bx of real or signed
// vectors. The same code runs on a simulator and on hardware: encoders choose frames, a read-out combines the measured
// codes.
#include <memory>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/session.hpp"

namespace lightloop {

/// Frames and device time for a piece of work.
struct ProjectionCost {
  std::int64_t frames = 0;
  double device_s = 0, device_j = 0;
};

/// The state of a device's health as read by the projection, stored at the start and the end of every run.
struct Health {
  double dark_level = 0;          ///< mean code of dark frames
  double saturation = 0;          ///< fraction of clipped codes in a bright probe
  double repeat_correlation = 0;  ///< Pearson correlation of two exposures of the same probe frame
};

/// Settings of a projection (the "projection." namespace): encoding, readout, dead_zone, bits, oversampling,
/// skip_empty, ...
std::vector<ParamInfo> projection_params();

/// Settings a device must be opened with so that (n_in -> n_out) fits; only keys the model has and the user left alone.
/// Devices that can change size have the settings "input.size" and "output.size".
Settings sizes_for_projection(const std::vector<ParamInfo>& device_params, const Settings& user,
                              const Settings& projection, Index n_in, Index n_out);

/// A random map from n_in numbers to n_out numbers, evaluated by a device.
///
/// linear(): y = B x with B fixed, real, iid Gaussian; calibrated so that E[B_ij^2] = 1. How x becomes frames is the
/// encoding's (ternary: sign(x) where |x| > dead_zone; bitplanes: N signed planes; threshold: x > dead_zone), how
/// frames become y the read-out's (anchor: holography-free; phase4: phase stepping with the reference arm).
/// intensity(): y = |Hx|^2 of a binary pattern, E|H_ij|^2 = 1, dark level removed.
class Projection {
 public:
  /// Opens nothing: `session` must outlive the projection. Throws Unsupported when the device cannot serve the
  /// read-out, ShapeMismatch when it is too small (naming input.size / output.size).
  Projection(Session& session, Index n_in, Index n_out, const Settings& settings = {});
  ~Projection();
  Projection(const Projection&) = delete;
  Projection& operator=(const Projection&) = delete;

  Index inputs() const;
  Index outputs() const;
  const ParamSet& settings() const;

  /// Sets exposure, measures dark level, chooses pixels, measures the scale. Called by the first transform when not
  /// called before.
  void calibrate();
  /// x (batch, n_in) -> y (batch, n_out). Rows that encode to nothing cost no frame and give exactly 0 (skip_empty).
  void linear(View<const float> x, View<float> y);
  /// x (batch, n_in), any value > dead_zone is "on" -> y (batch, n_out) >= about 0 (noise may take it below).
  void intensity(View<const float> x, View<float> y);

  /// Frames that `linear` needs for these rows at most (no row empty), for cost estimates before the first frame.
  ProjectionCost cost(Index rows) const;
  ProjectionCost calibration_cost() const;
  /// Repeats a fixed probe; costs a few frames.
  Health probe();
  /// Exposure, scale, dark frame, chosen pixels: what a checkpoint stores beside Session::snapshot().
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lightloop
