#pragma once
// A device of kind "reservoir" as a reservoir: mask, time multiplexing, codes, sampling. The same code for a simulated
// laser and for an instrument that plays a waveform and returns one.
#include <vector>

#include "driver/api/session.hpp"
#include "driver/reservoir/reservoir.hpp"

namespace lightloop {

struct DelayReservoirSettings {
  Index samples_per_node = 1;  ///< drive samples a node is held for
  Index read_sample = -1;      ///< which of them is read, 0 to samples_per_node - 1; -1: their mean
  double gain = 1;             ///< of the masked input
  double bias = 0;             ///< added to it: s = gain M u + bias must lie in [-1, 1] or is clipped, and counted
  Index delay_samples = 0;     ///< round trip in samples where the device does not tell; 0: unknown
};

/// What went through the converters since the last reset_counts().
struct ConverterCounts {
  std::int64_t drive = 0, drive_clipped = 0;        ///< DAC codes shown, and those beyond the DAC's range
  std::int64_t detected = 0, detected_clipped = 0;  ///< ADC codes returned, and those the device calls saturated
};

/// Time multiplexing after Appeltant et al., Nat. Commun. 2, 468 (2011): one input of K channels becomes nodes *
/// samples_per_node drive samples, sample j of node i
///   s = gain sum_k M(i, k) u_k + bias,   code = round((s + 1) / 2 (2^bits - 1)), clipped to the DAC's range and
///   counted.
/// The samples of all inputs follow each other without a gap, cut into frames of the device's length, which must be a
/// whole number of inputs. The state of node i is the mean of its samples (or one of them) as code / (2^bits - 1) in
/// [0, 1]; a device that returns c times as many codes as it takes has c outputs, and gives c states per node, output
/// by output.
///
/// Throws Unsupported for a device of another kind; ShapeMismatch where mask and frame do not fit; InvalidParameter
/// where the device tells its delay (settings feedback.delay_s and sample_s) and the mask is longer: nodes would be
/// driven twice before the first light is back.
class DelayReservoir : public Reservoir {
 public:
  /// The session must outlive this; `mask` as of make_mask().
  DelayReservoir(Session& session, Matrix<float> mask, const DelayReservoirSettings& settings = {});

  Index inputs() const override { return mask_.cols(); }
  Index nodes() const override { return mask_.rows() * outputs_; }
  void reset() override { session_.reset(); }
  /// The last frame is filled up with the level of a zero input where T does not fill it; a later run() then goes on
  /// after that gap. Frames of one input leave none.
  void run(View<const double> u, View<float> states) override;

  const Matrix<float>& mask() const { return mask_; }
  Index inputs_per_frame() const { return per_frame_; }
  const ConverterCounts& counts() const { return counts_; }
  void reset_counts() { counts_ = {}; }

 private:
  void check_delay() const;
  void encode(View<const double> u, Index first, Index frames);
  void decode(Index first, Index count, View<float> states) const;

  Session& session_;
  Matrix<float> mask_;
  DelayReservoirSettings settings_;
  Index outputs_ = 1, per_frame_ = 1;
  ConverterCounts counts_;
  FrameBuffer drive_, detected_;
};

}  // namespace lightloop
