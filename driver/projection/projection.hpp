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

/// What calibration found.
struct CalibrationReport {
  bool done = false;
  double exposure_s = 0;   ///< 0: the device has no exposure to set
  double saturation = 0;   ///< fraction of clipped codes in the read-out's brightest probe frames
  double dark_code = 0;    ///< mean code with nothing on
  double signal_code = 0;  ///< mean code above dark of a probe pattern alone
  std::vector<std::string> warnings;
};

/// Settings of a projection (the "projection." namespace): encoding, readout, dead_zone, oversampling, skip_empty, ...
std::vector<ParamInfo> projection_params();

/// Settings a device must be opened with so that (n_in -> n_out) fits; only keys the model has and the user left alone.
/// Devices that can change size have the settings "input.size" and "output.size".
Settings sizes_for_projection(const std::vector<ParamInfo>& device_params, const Settings& user,
                              const Settings& projection, Index n_in, Index n_out);

/// A random map from n_in numbers to n_out numbers, evaluated by a device.
///
/// linear(): y = B c(x) with B fixed, real, iid Gaussian; calibrated so that E[B_ij^2] = 1. How x becomes frames is the
/// encoding's, c(x) the value it stands for (ternary: sign(x) where |x| > dead_zone; bitplanes: x rounded to N signed
/// planes; threshold: 1 where x > dead_zone), how frames become y the read-out's (anchor: holography-free; phaseN:
/// phase stepping with the reference arm, whose n_out / 2 pixels give a real and an imaginary part each: these are
/// independent because H is circular). intensity(): y = |Hx|^2 of a binary pattern, E|H_ij|^2 = 1, dark level removed.
///
/// Every read-out has its own exposure, found when it is first used and held for all frames that are combined. A
/// pattern in which nothing is on costs no frame and no frame id (skip_empty). Frames run in the order of rows, so
/// results do not depend on how rows are grouped into calls.
class Projection {
 public:
  /// Opens nothing and shows no frame: `session` must outlive the projection. Sets the exposure where
  /// projection.exposure fixes one. Throws Unsupported when the device cannot serve the read-out, ShapeMismatch when it
  /// is too small (naming input.size / output.size).
  Projection(Session& session, Index n_in, Index n_out, const Settings& settings = {});
  ~Projection();
  Projection(const Projection&) = delete;
  Projection& operator=(const Projection&) = delete;

  Index inputs() const;
  Index outputs() const;
  const ParamSet& settings() const;

  /// Sets exposure, measures dark level, chooses pixels, measures the scale of the linear read-out (of intensity when
  /// readout = intensity). Called by the first transform when not called before. Throws Error when no light arrives.
  void calibrate();
  /// What calibrate() found and had to warn about.
  const CalibrationReport& report() const;
  /// x (batch, n_in) -> y (batch, n_out). Rows that encode to nothing cost no frame and give exactly 0 (skip_empty);
  /// without skip_empty they are measured like any other and give noise. Throws ShapeMismatch; InvalidParameter for a
  /// value that is not finite; Unsupported when readout = intensity. Nothing has been shown or changed when it throws.
  void linear(View<const float> x, View<float> y);
  /// x (batch, n_in), any value > dead_zone is "on" -> y (batch, n_out) >= about 0 (noise may take it below). Its first
  /// use calibrates intensity. Throws as linear(), and ShapeMismatch when the device has fewer than n_out pixels.
  void intensity(View<const float> x, View<float> y);
  /// linear() in two parts, so that the device works while the caller does something else: y is complete when
  /// finish_linear() has returned, and must stay until then, as the projection and its session. Nothing else may be
  /// asked of the projection in between (InvalidParameter). finish_linear() throws what the device threw.
  void begin_linear(View<const float> x, View<float> y);
  void finish_linear();

  /// Frames that `linear` (`intensity` when readout = intensity) needs for these rows at most (no pattern empty), for
  /// cost estimates before the first frame; times at the device's present settings.
  ProjectionCost cost(Index rows) const;
  ProjectionCost calibration_cost() const;  ///< at most
  ProjectionCost probe_cost() const;        ///< of probe(), without a calibration
  /// Repeats a fixed probe; costs four frames, after a calibration if there was none.
  Health probe();
  /// Exposure, scale, dark frame, chosen pixels: what a checkpoint stores beside Session::snapshot(). restore() throws
  /// InvalidParameter for bytes of another projection and then changes nothing.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lightloop
