#pragma once
// What has to be measured once before camera codes are numbers of unit variance.
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "driver/projection/projection.hpp"
#include "driver/projection/readout.hpp"
#include "driver/projection/shots.hpp"

namespace lightloop {

/// y_j = scale of the row * gain_j * (sum of coefficient * code at source_j - sum of weights * offset_j).
///
/// A source below the number of pixels is the real part of that pixel, above it the imaginary part.
struct Calibration : CalibrationReport {
  std::vector<std::uint32_t> source;
  std::vector<float> offset;  ///< what the read-out gives for the empty pattern
  std::vector<float> gain;

  void write(ByteWriter& out) const;
  /// `outputs` and `sources` (pixels times parts) are what it must fit; refuses bytes that do not.
  void read(ByteReader& in, Index outputs, Index sources);
};

struct CalibrationPlan {
  Index outputs = 0;
  Index on = 1;  ///< entries on in a probe pattern
  Index inputs = 1;
  double saturation = 1e-4;   ///< allowed fraction of clipped codes in interference frames
  double max_exposure_s = 0;  ///< the search goes no further
  double exposure_s = 0;      ///< 0: search
  double gain = 0;            ///< 0: measure
  Index frames = 64;          ///< exposures of the empty pattern that are averaged
  std::uint64_t seed = 0;     ///< of the probe patterns
};

/// What calibrate() takes at most.
struct CalibrationCost {
  Index frames = 0, batches = 0;
};
CalibrationCost calibration_cost(const Readout& readout, const CalibrationPlan& plan);

/// 1. Exposure: intensity frames to full scale / mean of full_scale_over_mean(); interference frames to the allowed
/// saturation, the anchor's pixels having been chosen at an exposure that clips nearly none.
/// 2. Offset: the empty pattern, averaged.
/// 3. Gain: 1 / |Hr| of the anchor or 1 / |r| of the reference per pixel, times one number for all that makes
/// E[B_ij^2] = 1. That number comes from probe patterns b shown twice: mean(y y') / |b|^2 has no noise bias, and holds
/// for any number of grains per pixel. For intensity: mean(I_b - I_0) / |b|^2.
/// Probe patterns have exactly plan.on entries on, drawn from Stream(plan.seed, 0, Purpose::calibration). Throws Error
/// when no light arrives.
Calibration calibrate(Shots& shots, const Readout& readout, const CalibrationPlan& plan);

/// Probe pattern number `k` of a plan.
void probe_pattern(const CalibrationPlan& plan, std::uint64_t k, std::span<std::uint8_t> pattern);

}  // namespace lightloop
