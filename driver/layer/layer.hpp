#pragma once
// Turns a programmable device of kind "layer" (codes in, codes out) into a matrix product. The same code runs on a
// simulator and on hardware.
//
// What is asked of the device: codes stand for signed numbers around a middle code c0 = 2^(bits - 1), v = (c - c0) /
// c0; its answer is linear in the drive. Its programme is either one weight code per (output, input), row by row, of
// the same kind (a crossbar), or the phases of two meshes (a device with the settings "mesh.layout", "phase.law" and
// "phase.range_rad"; see core/mesh_codes.hpp), or those of a tensor train of such pairs ("tt.cores" and "tt.rank"
// beside them; core/train_shape.hpp). Its setting "adc.range", where it has one, is the sum of products at the ends of
// its ADC; without it calibrate() is needed first. With layer.update = programme a programme may also be of any other
// size or kind (a butterfly, physics that nobody knows): no matrix is written into it then, it begins with codes at
// random, a device unit stands for layer.weight_limit, and it learns from there.
#include <memory>
#include <span>
#include <vector>

#include "core/param.hpp"
#include "driver/api/energy.hpp"
#include "driver/api/session.hpp"
#include "driver/api/twin.hpp"

namespace lightloop {

/// The settings of a layer (the "layer." namespace): cells, weight_scale, noise_management, bound_management, ...
std::vector<ParamInfo> layer_params();

/// Settings a device must be opened with so that (n_in -> n_out) fits; only keys the model has and the user left alone.
Settings sizes_for_layer(const std::vector<ParamInfo>& device_params, const Settings& user, const Settings& layer,
                         Index n_in, Index n_out);

/// Residual of a calibration from which on eval and reports warn. Assumed: a signal-to-noise ratio of 6 dB.
inline constexpr double kLargeResidual = 0.5;

/// All that a layer has asked of its device since it was made.
struct LayerReport {
  std::int64_t vectors = 0;         ///< rows given to forward() and transposed()
  std::int64_t frames = 0;          ///< shown for them: more where bound management repeats
  std::int64_t clipped_inputs = 0;  ///< numbers beyond the input range, set to its end
  /// Weights that an update in pulses would have taken beyond the range of a cell, and codes of a programme that
  /// learns beyond theirs.
  std::int64_t clipped_updates = 0;
  /// Phases of written weights further than a code's step beyond what the device can set, put at the nearest end. The
  /// weights are then those of the phases as they are set: programmed().
  std::int64_t clipped_phases = 0;
  std::int64_t saturated = 0;  ///< output codes clipped in the frames that were used
  /// Of the calibration in use (LayerCalibration); of several layers the largest. Above kLargeResidual the answers are
  /// noise and errors of the device more than they are the product.
  double residual = 0;
  /// Of running ranges, where the last forward() left them; of several layers the largest. 0: there is none, or no
  /// window was full yet.
  double input_range = 0, output_range = 0;
  double device_s = 0, device_j = 0;
  std::int64_t programs = 0;            ///< times weights were written
  double program_s = 0, program_j = 0;  ///< of device_s and device_j, what writing took
  EnergyAccount energy;                 ///< device_j by component
  /// Multiplications and additions in pairs asked for; joules per one of them is device_j / macs.
  double macs = 0;
  void add(const LayerReport& other);
};

/// The device's answers do not follow the drive.
struct CalibrationError : Error {
  using Error::Error;
};

/// What calibrate() found.
struct LayerCalibration {
  bool done = false;
  double gain = 1;      ///< mean response over what the programme promises; drift takes it below 1
  double residual = 0;  ///< rms of what gains and offsets do not explain of the outputs, over that of what they do
};

struct LayerState;

/// y = x W^T by a device, W (n_out, n_in) real.
///
/// A device holds one matrix. Where somebody else has written it since - another Layer, or a snapshot restored with
/// another programme - whatever shows it frames or pulses throws Error, and shows nothing, until program().
///
/// forward(): every row is divided by its range alpha (noise management: the largest |x|, a fixed or a running one),
/// rounded to the DAC's 2 c0 - 1 symmetric levels, multiplied by the device, and scaled back by alpha, the weights'
/// scale and the calibrated gain. Where an output meets the end of an ADC of 10 levels or more, bound management shows
/// that row again at half the drive ("iterative") or at one that cannot clip ("worst_case"), but at none so weak that
/// codes of 0 are all that is left: then the last answer counts, its ends as saturated. A repeat has the frame id of
/// its row with the number of the repeat in the top bits, so results do not depend on how rows are grouped into calls.
/// A running ADC range (layer.output_range) moves between rows too: calls are cut where a window ends, and repeats come
/// before the cut. When the device fails, such a call has moved nothing.
class Layer {
 public:
  /// Shows nothing: `session` must outlive the layer. Throws Unsupported when the device is no programmable layer,
  /// ShapeMismatch when it is too small (naming input.size / output.size).
  Layer(Session& session, Index n_in, Index n_out, const Settings& settings = {});
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  Index inputs() const;
  Index outputs() const;
  const ParamSet& settings() const;

  /// Turns w (n_out, n_in) into codes and writes them. A matrix of zeros (with layer.weight_scale = row: a row) is left
  /// out: its answers are 0, whatever the device's noise, because no weight says what a code should stand for; where
  /// layer.weight_limit says so, or the device learns (layer.update), answers keep that scale (1). Forgets the
  /// calibration unless told to keep it. Throws ShapeMismatch; InvalidParameter for a weight that is not finite;
  /// OutOfRange for one beyond a fixed layer.weight_limit. Nothing is written then.
  void program(View<const float> w, bool keep_calibration = false);
  /// The weights as the codes can hold them (n_out, n_in); for meshes before rounding of the phases (after it where
  /// phases were out of reach), for trains of meshes what their ranks leave of the weights.
  View<const float> programmed() const;
  /// Shows random vectors and fits gain and offset of the answers to the programmed weights, one gain for all outputs
  /// or one each (layer.compensation). Done again later it takes drift out. Where the layer sets the ADC's range, the
  /// first pass does this if nobody has. Where all promised answers are 0 the gain stays 1 and the offset alone is
  /// fitted; a matrix that is left out (program()) shows nothing, and the first pass with weights calibrates instead.
  /// Throws Error when nothing was programmed; CalibrationError, when the device does not answer to the drive: a gain
  /// below three standard errors (assumed: of a dead device one in 700 passes). Calibration and range are then as they
  /// were.
  void calibrate();
  const LayerCalibration& calibration() const;
  /// Frames that calibration takes at most, rows shown once; 0 where nobody asks for it.
  Index calibration_frames() const;
  /// How often bound management shows a row again at most.
  Index most_repeats() const;

  /// x (rows, n_in) -> y (rows, n_out). Throws ShapeMismatch; InvalidParameter for a value that is not finite; Error
  /// before the first program(). Nothing but the calibration, where one was missing, has been shown when it throws one
  /// of these.
  void forward(View<const float> x, View<float> y);
  /// x (rows, n_out) -> y = x W (rows, n_in), where the device can be used backwards. Every row takes the full drive,
  /// whatever the input range. Throws as forward(), and Unsupported.
  void transposed(View<const float> x, View<float> y);
  const LayerReport& report() const;

  /// grad_x = (dy/dx)^T grad_y at x, rounding passed straight through, by the way that layer.backward names: the
  /// programmed weights in memory, the device's twin at the drive that x makes, or the device itself (transposed()).
  /// Inputs beyond a fixed, running or learned range get 0; the range counts as constant. Running ranges are those that
  /// the rows had in the last forward(), of which x is the input; so in all that follows. Throws ShapeMismatch,
  /// Unsupported where the way is not there.
  void backward(View<const float> x, View<const float> grad_y, View<float> grad_x);
  /// x (rows, n_in) as far as the ranges of its rows reach, before rounding: what the weights were multiplied with, so
  /// that dL/dW = grad_y^T seen. Of abs_max that is x. Throws ShapeMismatch.
  void clip(View<const float> x, View<float> seen) const;
  /// The twin of the layer's device, for layer.backward = twin; every program() reaches it. Throws ShapeMismatch.
  void set_twin(std::unique_ptr<Twin> twin);
  /// d/d(input range) of sum(y grad_y), summed over rows: sign(x) for clipped inputs, the rounding error in units of
  /// the range for others (Esser et al., ICLR 2020), through the programmed weights. Throws Unsupported for abs_max.
  double range_gradient(View<const float> x, View<const float> grad_y) const;
  /// The input at full drive where noise_management is learned (above 0) or running (0 or more: where it goes on from,
  /// in backward() too). Throws OutOfRange, Unsupported.
  void set_input_range(double range);
  double input_range() const;
  /// What the next row's range comes from: input_range(), or with windows (layer.range_rows; driver/layer/
  /// range_window.hpp) the range (0: none was full yet), the rows of the open one, and the largest of their sizes. To
  /// go back to where a pass began. Throws ShapeMismatch, OutOfRange, Unsupported.
  std::vector<double> input_state() const;
  void set_input_state(std::span<const double> state);
  /// Evaluation: from now on forward() leaves ranges with windows, input's and ADC's, as they are, or no longer does.
  void hold_ranges(bool hold);
  /// Where the layer sets the ADC's range (layer.output_range): what calibrate() measured - 5/4 of the largest answer
  /// to its vectors - times a factor, initially 1, that training may learn. d/d(factor) of sum(y grad_y): the end of
  /// the range for an output beyond it (without bound management), the rounding error within (as range_gradient()),
  /// through the programmed weights. Throw Unsupported unless layer.output_range = learned; OutOfRange. When the device
  /// fails the factor is as it was.
  void set_output_factor(double factor);
  double output_factor() const;
  double output_factor_gradient(View<const float> x, View<const float> grad_y) const;
  double output_range() const;  ///< sum of products, in device units, at the ends of the ADC
  /// Adds dw (n_out, n_in) to the weights in the device by pulses of its "pulse.step", whole numbers of them that are
  /// right on average; programmed() goes on as if all cells were nominal, as far as codes reach (what lies beyond is
  /// counted in the report; cell.kind = soft_bounds: a pulse moves a nominal cell by pulse.step times what is left of
  /// the way to +-1). Calibration and scale stay. Randomness: Stream(layer.seed, 2, calibration), row = update * n_out
  /// + output, column = input; layers of one seed and size round alike. Throws as check_update(), before anything
  /// changes. When the device fails nothing has changed either, or, once pulses were on their way, the layer is
  /// unprogrammed: nobody knows then what the cells hold.
  void update(View<const float> dw);
  /// Throws ShapeMismatch, Unsupported for a device without pulses, OutOfRange for more than the whole range.
  void check_update(View<const float> dw) const;

  /// Moves the programme itself (the phases of meshes) against the gradient that the twin has at what x makes the
  /// device see: one step of Adam (0.9, 0.999) of size lr in units of the whole range of a code. Phases go round where
  /// the range is a whole turn; they, and attenuators always, stop at the ends of the range otherwise, which the report
  /// counts (clipped_updates), and begin there with no mean of earlier gradients. programmed() becomes what the twin
  /// says the codes hold. For layer.update = programme. When the device fails the layer is unprogrammed. Throws
  /// ShapeMismatch; Unsupported without a twin whose programme can be trained; InvalidParameter for a gradient that is
  /// not finite, before anything moves. Where monitors in the device measure the gradient (Twin::gradient_cost()),
  /// their exposures count as frames of the device, in the report and the session's meter, and their noise is that of
  /// sample steps * 2^32 + row.
  void learn_programme(View<const float> x, View<const float> grad_y, double lr);
  /// The same step against a gradient that is known otherwise: of the mean loss by every code of the programme, in
  /// units of the whole range of a code. It asks for no twin; without one programmed() stays what the programme began
  /// as. Throws as above, but ShapeMismatch where the numbers are not as many as the codes.
  void learn_programme(std::span<const float> gradient, double lr);
  /// Codes of the programme.
  Index programme_size() const;
  /// Writes the programme moved by `step` times `direction`, in units of the whole range of a code, rounded, and as
  /// learn_programme() has it at the ends (each code that stops there counts in clipped_updates): a trial. What the
  /// layer learns stays where it is; the next learn_programme() writes that. Throws as learn_programme().
  void try_programme(std::span<const float> direction, double step);
  /// The matrix (n_out, n_in) by the device's answers to measured_rows() orthogonal vectors of +-1 (Hadamard) at the
  /// full range of an input; its noise is that of one frame over the root of their number. Ranges stay. Throws as
  /// forward().
  Matrix<float> measure();
  Index measured_rows() const;  ///< the power of two above n_in
  /// What it asks of the device for so many rows, beside the writing.
  LayerReport expected_gradient(Index rows) const;

  /// Calibration, ranges, what updates made of the weights, and with layer.update = programme the programme, to be
  /// restored where the same weights, or none, are programmed. Throws InvalidParameter elsewhere, and for other bytes.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  std::unique_ptr<LayerState> state_;
};

}  // namespace lightloop
