#pragma once
// What the parts of a Layer share. Private to driver/layer.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/train_shape.hpp"
#include "driver/layer/layer.hpp"
#include "driver/layer/range_window.hpp"

namespace lightloop {

inline constexpr double kLeastRange = 1e-30;  ///< rows smaller than that are shown as 0: their ratio would overflow

/// The ADC's range over the largest answer known. Assumed: a quarter is left free for larger ones; halving a row for
/// each that meets the end costs more than the third of a bit.
inline constexpr double kHeadroom = 1.25;

/// Times that calibrate() moves the ADC's range at most, where the layer sets it, and looks again. Assumed: see
/// find_range().
inline constexpr int kRangeMoves = 5;

/// Levels of an ADC from which bound management works. An answer that just met the end of n levels, (n - 1) / 2 steps
/// from the middle, is read (n - 2) / 4 steps from it at half the drive: below 2 the repeat says less of it than the
/// end did, and the end, 1 / (n - 1) of the range, is an ordinary answer. Assumed: 2.
inline constexpr Index kLeastLevels = 10;

/// Two rows of the device whose difference is one output; minus = -1: one row alone.
struct RowPair {
  Index plus = 0, minus = -1;
};
enum class Weights { one, differential, offset };
Weights parse_weights(const std::string& name);
/// Rows of the device that n_out outputs take, and where they lie.
Index rows_needed(Weights weights, Index n_out);
RowPair rows_of(Weights weights, Index n_out, Index output);

/// One answered frame: row of the batch, the codes shown and returned (row `at` of both), and what a product of device
/// units (v w) is multiplied by to undo range and bound management; `weaker` undoes the latter alone.
struct Answer {
  Index row, at;
  const ConstFrames& in;
  const ConstFrames& out;
  double factor, weaker = 1;
};

struct LayerState {
  LayerState(Session& s, Index inputs, Index outputs, const Settings& settings);

  Session& session;
  Index n_in, n_out;
  ParamSet params;
  Weights weights;
  bool mesh = false;
  bool complex_field = false;       ///< of the mesh: real parts of all channels, then imaginary parts
  std::optional<TrainShape> train;  ///< where the programme is a train of meshes
  bool free = false;                ///< no matrix can be written into the programme: it learns from codes at random
  Index device_rows = 0;            ///< outputs of the device in use
  double range = 1;                 ///< sum of products at the ends of the ADC
  bool range_known = false;         ///< or found by calibration
  bool sets_range = false;          ///< the layer sets it: layer.output_range
  double base_range = 1;            ///< as calibrate() measured it; range = base_range * factor
  double output_factor = 1;         ///< learned
  double twin_range = 1;            ///< that of the twin
  double mid_in = 0, mid_out = 0;
  Index dac_levels = 0, adc_levels = 0;  ///< of the device's converters (dac.levels, adc.levels); 0: one per code
  double faintest = 1;  ///< steps from the middle code of the weakest drive that the DAC does not take for none

  bool programmed = false;
  std::uint64_t written = 0;  ///< Session::programme() of this layer's weights
  Matrix<float> target;       ///< (device_rows, n_in): what the cells hold, in device units
  Matrix<float> held;         ///< (n_out, n_in): the weights that stands for
  std::vector<double> scale;  ///< per output: weight of one device unit
  double rest = 0;            ///< offset scheme: the reference row, in device units
  double largest_sum = 0;     ///< largest sum of |target| over a row or a column
  double largest_norm = 0;    ///< largest root of the sum of target^2 over a row or a column

  std::vector<double> gain, offset;  ///< per device row: z = gain * promised + offset
  LayerCalibration calibration;
  bool awaits_weights = false;     ///< calibrated while there were none: the first pass with some does it again
  RangeLaw input_law, output_law;  ///< of running ranges; no rows: the range is none, or one that every row moves
  RangeWindow input;               ///< its range: running or learned
  RangeWindow output;              ///< running; base_range is its range as far as the device takes it
  RangeWindow began;               ///< input before the last forward pass
  bool hold_ranges = false;        ///< windows stay as they are
  std::uint64_t updates = 0;       ///< in pulses
  Matrix<float> common;  ///< (n_out, n_in), of cells in pairs (pulse.pair): what nominal ones hold on both sides
  std::unique_ptr<Twin> twin;
  Matrix<float> theta;   ///< (1, codes) of the programme
  double twin_gain = 1;  ///< of the twin's matrix over the target, when the weights were written
  Matrix<float> mean_slope,
      mean_square;  ///< running means of the gradient of theta and of its square, in units of the range
  std::uint64_t steps = 0;
  LayerReport report;

  FrameBuffer in, out, again_in, again_out;
  std::vector<float> largest, ratio, sizes, answer_sizes;
  std::vector<double> alpha;
  std::vector<unsigned char> clipped;

  /// Shows x (rows, width) and hands every row's final answer to `sink` (in any order, on many threads).
  void pass(View<const float> x, Pass direction, const std::function<void(const Answer&)>& sink);
  double device_unit(double code) const { return range * (code - mid_out) / mid_out; }
  /// Whether an answer, in codes but not rounded yet, is read at an end of the ADC.
  bool at_end(double code) const;
  /// What the DAC makes of a drive, and the ADC's code for an answer within its range, both in steps from the middle
  /// code.
  double driven(double code) const;
  double read(double code) const;
  Index parts() const { return complex_field ? 2 : 1; }  ///< numbers per channel
  /// Of running ranges, by the settings. Throws InvalidParameter where they do not go together.
  void find_laws();
  void forget_calibration();
  void set_calibration(const LayerCalibration& found);
  void check_programmed() const;
  /// Throws Error where the device holds what somebody else has written since.
  void check_written() const;
  /// The weights are zeros without a scale: no answer counts.
  bool left_out() const;
  /// What a code stands for where all weights are 0 and layer.weight_limit does not say.
  double scale_of_zeros() const;
  /// Input at full drive of a row whose largest size is given.
  double row_range(double largest_x) const;
  /// Input ranges of rows, given their largest sizes and those that input_law counts, from `from` on, which follows.
  void follow(RangeWindow& from, std::span<const float> largest_x, std::span<const float> counted,
              std::span<double> ranges) const;
  /// The rows' sizes as input_law counts them; nothing where no window does.
  void count_sizes(View<const float> x, std::vector<float>& counted) const;
  /// The same of every row of what the last forward pass was shown.
  std::vector<double> row_ranges(View<const float> x) const;
  /// y = factor unit_i (code_i - zero_i) for every device row, the scale of the output in `unit` (not that of the
  /// offset scheme's reference).
  void decoding(std::vector<float>& zero, std::vector<float>& unit) const;
  /// x -> y by the programmed device, at one range of its ADC.
  void answer(View<const float> x, View<float> y);
  /// The same where the ADC's range moves behind windows of rows. When it throws nothing has moved.
  void answer_by_windows(View<const float> x, View<float> y);
  /// The size of an answer as output_law counts it, in device units at full drive.
  float answer_size(const Answer& answer) const;
  /// After an answer to so many rows: moves the ADC's range where their window is full.
  void follow_answers(Index count);
  void report_ranges();
  void count_program();
  /// The frames in which monitors in the device measure the gradient of so many samples.
  LayerReport gradient_report(Index rows) const;
  /// Bound management: how often a row may be shown again (none by an ADC of fewer than kLeastLevels), and what divides
  /// the drive of x, of that range, the k-th time, k = 0, 1, ...; as the time before where less would show nothing.
  std::int64_t most_repeats() const;
  double repeat_factor(std::int64_t k, std::span<const float> x, double range_of_x) const;
  /// Largest code of x at the strongest drive, half of the full one or less, whose codes cannot make a sum of products
  /// at the end of the ADC: no sum is beyond that of the weights' sizes times the largest code, nor beyond the product
  /// of both norms (Cauchy-Schwarz), both times the calibrated gain; 1 where that is too much. `full`: the largest code
  /// at full drive.
  double sure_code(std::span<const float> x, double range_of_x, double full) const;
  /// Sets the ADC's range to base * factor within what the device takes, in the device too; whether it changed. Nothing
  /// has when the device throws.
  bool set_range(double base, double factor);
  /// The next pass cannot do without: the range is to be found, and nobody has. Where there are no weights any will do.
  bool wants_calibration() const {
    return calibration.done ? awaits_weights && !left_out() : !range_known || (sets_range && largest_sum > 0);
  }
  /// The programme itself learns: layer.update = programme.
  bool learns() const { return params.text("update") == "programme"; }
  /// dL/d(output code) of every device row for grad_y, rows driven at full input `full` over `factor`.
  void code_slopes(View<const float> grad_y, std::span<const double> full, std::span<const double> factor,
                   View<float> slopes) const;
  void find_largest_sum();
  /// Whether pulses move pairs of cells, each side only up.
  bool pairs() const;
  /// Cells of one device row per output hold -1 to this, as codes do.
  float highest_target() const;
  /// After pulses: what else depends on the target of cells of one device row per output.
  void follow_target();
  /// What the device is shown for x and dL/d(output code) there, in the twin's codes; alpha and factor per row.
  void at_twin(View<const float> x, View<const float> grad_y, Matrix<float>& drive, Matrix<float>& slopes,
               std::vector<double>& alpha_of, std::vector<double>& factor) const;
  /// The matrix in the twin, in device units (n_out, n_in).
  Matrix<float> twin_matrix() const;
  /// Of the matrix that the twin makes of the programme, against the target; as the weights were written.
  void find_twin_gain();
  /// Writes theta and, where there is a twin, takes target and held from it.
  void write_theta();
  /// Writes these codes (1, programme).
  void write_codes(View<const float> codes);
  /// One step of Adam down `slopes`, dL/d(theta) in units of the range of a code, and writes it.
  void step_theta(std::span<const double> slopes, double lr);
  void through_twin(View<const float> x, View<const float> grad_y, View<float> grad_x) const;

 private:
  void run(FrameBuffer& shown, FrameBuffer& answer, Index first, Index count, Pass direction);
  void repeat(View<const float> x, Pass direction, const std::function<void(const Answer&)>& sink, std::uint64_t base);
};

/// While it lives windows stay as they are: vectors of a calibration or a measurement are no inputs that a range should
/// follow.
class NotFollowed {
 public:
  explicit NotFollowed(LayerState& s) : s_(s), before_(s.hold_ranges) { s.hold_ranges = true; }
  ~NotFollowed() { s_.hold_ranges = before_; }
  NotFollowed(const NotFollowed&) = delete;
  NotFollowed& operator=(const NotFollowed&) = delete;

 private:
  LayerState& s_;
  bool before_;
};

/// Weights as codes: fills target, held, scale, rest of the state, and the programme. Nothing is changed when it
/// throws.
void encode_weights(LayerState& state, View<const float> w, FrameBuffer& programme);

/// Phases into the programme from `at` on, at the nearest end where they are out of reach by more than a code's step:
/// how many are. If any, `phases` become those of their codes.
std::int64_t set_phases(const LayerState& state, std::vector<double>& phases, Index at, FrameBuffer& programme);

/// What turns the part of a mesh that weights leave free (layer.completion = random). Randomness: Stream(layer.seed, 3,
/// calibration), as core/svd.hpp has it.
std::optional<Stream> free_vectors(const LayerState& state);
/// Those for programmes that hold no matrix that could be written: codes at random, of which nothing is promised.
/// Randomness: Stream(layer.seed, 4, calibration), row 0; layers of one seed and size begin alike.
void draw_programme(LayerState& state, FrameBuffer& programme);
/// The part of encode_weights for trains of meshes.
void encode_train(LayerState& state, View<const float> w, FrameBuffer& programme);

/// Throws ShapeMismatch unless x has n_in and grad_y n_out columns, and both as many rows.
void check_gradient(const char* what, View<const float> x, Index n_in, View<const float> grad_y, Index n_out);
/// Throws InvalidParameter for a row whose largest size is not finite.
void check_finite(Index row, float largest);
/// Largest |x|; infinite or NaN where one of them is.
float largest_size(std::span<const float> x);
/// Codes middle + round(x ratio) within +-top, the rest of the row at `middle`; gives how many were beyond.
Index encode_row(std::span<const float> x, float ratio, float top, float middle, const Frames& out, Index row);
/// Whether a code of the row lies at an end of the range, and how many do.
Index codes_at_ends(const ConstFrames& codes, Index row, Index count, std::uint32_t highest);

}  // namespace lightloop
