#pragma once
// Any device as a fixed, unknown map between numbers: what physics does to a signal, linear or not. Nothing is asked of
// it but that frames come back.
#include <algorithm>
#include <memory>
#include <vector>

#include "core/array.hpp"
#include "driver/api/session.hpp"
#include "driver/api/twin.hpp"

namespace lightloop {

/// What went through a DeviceMap since it was made.
struct MapReport {
  std::int64_t frames = 0;
  std::int64_t clipped_inputs = 0;  ///< numbers beyond the range, set to its end
  std::int64_t saturated = 0;       ///< output codes the device clipped
};

/// y = P(x), `width` numbers to as many, or to `outputs`.
///
/// x_j is shown as the code c0 + round(x_j / r (c0 - 1)), c0 = 2^(bits - 1), r = range * rms of the batch it was
/// calibrated with, clipped to the range and counted; a device of one bit is shown whether x_j > 0, or, of `levels`
/// n > 1, x_j by n inputs side by side (a thermometer): the k-th is on where x_j > a + (k + 1/2) / n (r - a), a = 0, or
/// -r if the calibration batch has numbers below 0. Unused inputs rest at c0, of one bit at 0. y_i = (code_i - m_i) /
/// s_i, m_i and s_i the mean and standard deviation of that code in the calibration batch, s_i at least one code (half
/// of the highest, if that is less) so that what hardly moves is not blown up: the gain and offset that an experimenter
/// sets once. A frame carries `part` numbers at most (0: as many as the device has inputs and, of equal widths,
/// outputs); a row of more takes several frames, and of `outputs` other than `width` each frame gives an equal share,
/// the last one the rest. Where the device has more outputs than are read of a frame, those are read that repeat
/// themselves best (correlation between two showings of the calibration batch).
class DeviceMap {
 public:
  /// `outputs` 0: as many as `width`. Shows nothing; `session` must outlive the map. Throws OutOfRange for a range that
  /// is not above 0, a part below or levels below 1; Unsupported for several levels where inputs have more than one
  /// bit; ShapeMismatch for more levels than the device has inputs, or more outputs than it has in the frames of a row.
  DeviceMap(Session& session, Index width, double range, Index part = 0, Index outputs = 0, Index levels = 1);

  Index width() const { return width_; }
  Index outputs() const { return outputs_; }
  Index frames_per_row() const { return (width_ + part_ - 1) / part_; }
  bool calibrated() const { return calibration_.reach > 0; }
  /// Shows x (rows, width) twice. Throws ShapeMismatch; InvalidParameter for values that are not finite, fewer than ten
  /// frames or rows that are all zero; CalibrationError where no output follows the input, and as the device does. The
  /// calibration before stays where it throws. An output follows the input where two showings of n frames agree: their
  /// correlation r, of sd 1 / sqrt(n) where there is only noise, is above 5 sd (or 0.95, of few frames) at one output,
  /// or on average above 3 sd of the mean over the outputs that move.
  void calibrate(View<const float> x);
  /// Takes out what gains and offsets of the detectors have done since: shows the first rows of the calibration (64 at
  /// most) twice again, and changes m_i and s_i so that these have the mean and deviation of before behind them. With
  /// mean and deviation (u, t) of output i's codes then and (u', t') now: m_i -> u' + t'/t (m_i - u), s_i -> t'/t s_i,
  /// t and t' at least what s_i is. Outputs and range stay; a device that answers as before, without noise, stays
  /// behind the same bits. Throws Error before calibrate(); InvalidParameter after restore() of a version that kept no
  /// rows; CalibrationError where no output follows the input, and as the device does; nothing has changed then.
  void recalibrate();
  /// x (rows, width), y (rows, outputs). Throws Error before calibrate(), ShapeMismatch, InvalidParameter, as the
  /// device does.
  void forward(View<const float> x, View<float> y);
  /// y = P(x) by a twin of the device: no frames, no rounding, no noise. Throws as backward(), Error before
  /// calibrate().
  void model_forward(const Twin& twin, View<const float> x, View<float> y) const;
  /// Throws what backward() would throw of this twin: Unsupported for a device of one bit, ShapeMismatch.
  void check_twin(const Twin& twin) const;
  /// grad_x = (dy/dx)^T grad_y at x by a twin of the device, rounding passed straight through; 0 for clipped inputs.
  /// Throws ShapeMismatch, Unsupported for a device of one bit.
  void backward(const Twin& twin, View<const float> x, View<const float> grad_y, View<float> grad_x) const;
  const MapReport& report() const { return report_; }

  /// The calibration, its first rows and the report. restore() takes them over, from a map of any device with as many
  /// inputs and outputs of as many bits; it throws InvalidParameter for another map or device, and for bytes of none.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  /// What an experimenter sets once.
  struct Calibration {
    double reach = 0;                     ///< r, the input that takes the full drive; 0: not calibrated
    double floor = 0;                     ///< a, below which a thermometer shows nothing
    std::vector<Index> outputs;           ///< that are read, one for each number of a part
    std::vector<double> mean, deviation;  ///< of these
  };
  static constexpr Index kReferenceRows = 64;  // assumed: 0.09 sd of the noise is left in a mean of two showings
  /// What was shown and answered when it was calibrated last.
  struct Reference {
    Index frames = 0;                     ///< 0: nobody kept it
    std::vector<std::uint32_t> shown;     ///< codes (frames, part * levels)
    std::vector<std::uint32_t> answered;  ///< at the outputs that are read (frames, read), summed over two showings
  };
  double least_deviation() const;
  std::uint32_t resting() const { return static_cast<std::uint32_t>(middle_ < 2 ? 0 : middle_); }
  void ask();  ///< shows in_
  /// Leaves the answers to x in out_, `reach` being the input that takes the full drive.
  void show(View<const float> x, double reach, double floor);
  bool thermometer() const { return levels_ > 1; }
  Index part_width(Index part) const { return std::min(part_, width_ - part * part_); }
  Index read_width(Index part) const { return std::clamp<Index>(outputs_ - part * read_, 0, read_); }
  double drive_of(double x, double reach) const;
  Matrix<float> unrounded(View<const float> x) const;  ///< the codes (rows * frames_per_row(), inputs) that show x

  Session& session_;
  Index width_, part_, outputs_, read_;  ///< of a row, and of a frame of it
  Index levels_;                         ///< inputs of the device for a number
  double range_, middle_;
  Calibration calibration_;
  Reference reference_;
  MapReport report_;
  FrameBuffer in_, out_;
};

/// Whether what the device does is the weights that a Layer writes to it: it is no physics that stays as it is. Shows
/// nothing.
bool holds_weights(Session& session);

}  // namespace lightloop
