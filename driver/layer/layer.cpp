#include "driver/layer/layer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

// 1 had no updates, 3 no ranges of the ADC, 4 did not know its weights, 5 not its device's, 6 no scale of what learns,
// 7 no windows; no release wrote 2
constexpr std::uint8_t kSnapshotVersion = 8;

void check_batch(const char* what, View<const float> x, Index in, View<float> y, Index out) {
  if (x.cols() != in || y.cols() != out || x.rows() != y.rows())
    throw ShapeMismatch(std::string("layer: ") + what,
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " -> " +
                            std::to_string(y.rows()) + " x " + std::to_string(y.cols()),
                        "rows x " + std::to_string(in) + " -> rows x " + std::to_string(out));
}

/// Of what program() makes of weights; nothing before it.
std::string digest(const LayerState& s) {
  if (!s.programmed) return {};
  Sha256 hash;
  hash.add(std::as_bytes(s.target.flat()));
  hash.add(std::as_bytes(std::span(s.scale)));
  return hash.hex();
}

void put_window(ByteWriter& bytes, const RangeWindow& window) {
  bytes.put(static_cast<std::uint64_t>(window.rows));
  bytes.put(window.largest);
}

void take_window(ByteReader& bytes, RangeWindow& window, const RangeLaw& law) {
  window.rows = static_cast<Index>(bytes.get<std::uint64_t>());
  window.largest = bytes.get<double>();
  if (window.rows < 0 || window.rows >= std::max<Index>(1, law.rows))
    bytes.refuse("a window of more rows than layer.range_rows = " + std::to_string(law.rows));
  if (!(window.largest >= 0) || !std::isfinite(window.largest)) bytes.refuse("a window of sizes that are none");
}

bool is_positive(double v) { return v > 0 && std::isfinite(v); }

/// Of complex fields, real parts first. Light that goes back meets W^T, where the transpose of [[Re, -Im], [Im, Re]] is
/// that of the conjugate of W.
void conjugate(std::span<float> row) {
  for (std::size_t i = row.size() / 2; i < row.size(); ++i) row[i] = -row[i];
}

/// y_i = factor (code_i - zero_i) gain_i: the loop of every answer.
template <class Code>
void decode(std::span<const Code> codes, float factor, std::span<const float> zero, std::span<const float> gain,
            std::span<float> y) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = factor * gain[i] * (static_cast<float>(codes[i]) - zero[i]);
}

void decode(const Answer& answer, std::span<const float> zero, std::span<const float> gain, std::span<float> y) {
  const auto factor = static_cast<float>(answer.factor);
  answer.out.bytes == 1 ? decode(answer.out.u8().row(answer.at), factor, zero, gain, y)
                        : decode(answer.out.u16().row(answer.at), factor, zero, gain, y);
}

}  // namespace

void LayerReport::add(const LayerReport& other) {
  vectors += other.vectors;
  frames += other.frames;
  clipped_inputs += other.clipped_inputs;
  clipped_updates += other.clipped_updates;
  clipped_phases += other.clipped_phases;
  saturated += other.saturated;
  device_s += other.device_s;
  device_j += other.device_j;
  residual = std::max(residual, other.residual);
  input_range = std::max(input_range, other.input_range);
  output_range = std::max(output_range, other.output_range);
  programs += other.programs;
  program_s += other.program_s;
  program_j += other.program_j;
  energy.add(other.energy);
  macs += other.macs;
}

Layer::Layer(Session& session, Index n_in, Index n_out, const Settings& settings)
    : state_(std::make_unique<LayerState>(session, n_in, n_out, settings)) {}
Layer::~Layer() = default;

Index Layer::inputs() const { return state_->n_in; }
Index Layer::outputs() const { return state_->n_out; }
const ParamSet& Layer::settings() const { return state_->params; }
const LayerReport& Layer::report() const { return state_->report; }
const LayerCalibration& Layer::calibration() const { return state_->calibration; }
Index Layer::most_repeats() const { return state_->most_repeats(); }

View<const float> Layer::programmed() const {
  state_->check_programmed();
  return state_->held;
}

void Layer::program(View<const float> w, bool keep_calibration) {
  LayerState& s = *state_;
  const DeviceInfo& info = s.session.info();
  FrameBuffer codes(*info.program, 1);
  encode_weights(s, w, codes);
  s.programmed = false;
  const ParamSet& device = s.session.settings();
  if (device.has("program.mode") && device.text("program.mode") != "weights")
    s.session.configure({{"program.mode", std::string("weights")}});
  if (s.sets_range && device.real("adc.range") != s.range)  // tiles that share a device have ranges of their own
    s.session.configure({{"adc.range", s.range}});
  s.session.program(std::as_const(codes).frames());
  s.written = s.session.programme();
  s.count_program();
  const bool learns = s.params.text("update") == "programme";
  s.mean_slope = s.mean_square = Matrix<float>(learns ? 1 : 0, learns ? info.program->size() : 0);
  s.steps = 0;
  if (learns || s.params.text("backward") == "twin") {
    s.theta.resize(1, info.program->size());
    for (Index i = 0; i < s.theta.size(); ++i) s.theta.data()[i] = static_cast<float>(codes.frames().at(0, i));
    if (s.twin) s.twin->program(s.theta);
  }
  if (s.learns() && s.twin) s.find_twin_gain();
  if (!keep_calibration) s.forget_calibration();
  s.programmed = true;
}

void LayerState::answer(View<const float> x, View<float> y) {
  std::vector<float> zero, unit;
  decoding(zero, unit);
  const bool follows = output_law.rows > 0 && !hold_ranges;
  answer_sizes.resize(follows ? static_cast<std::size_t>(x.rows()) : 0);
  pass(x, Pass::forward, [&](const Answer& answer) {
    if (follows) answer_sizes[static_cast<std::size_t>(answer.row)] = answer_size(answer);
    if (weights == Weights::one) return decode(answer, zero, unit, y.row(answer.row));
    std::vector<float> z(zero.size());
    decode(answer, zero, unit, z);
    for (Index i = 0; i < n_out; ++i) {
      const RowPair pair = rows_of(weights, n_out, i);
      const float minus = z[static_cast<std::size_t>(pair.minus)];
      const float own = weights == Weights::offset ? static_cast<float>(scale[static_cast<std::size_t>(i)]) : 1.0f;
      y(answer.row, i) = z[static_cast<std::size_t>(pair.plus)] - own * minus;
    }
  });
  if (follows) follow_answers(x.rows());
}

void Layer::forward(View<const float> x, View<float> y) {
  LayerState& s = *state_;
  check_batch("forward()", x, s.n_in, y, s.n_out);
  s.check_programmed();
  if (s.wants_calibration()) calibrate();
  s.began = s.input;
  s.output_law.rows == 0 || s.hold_ranges ? s.answer(x, y) : s.answer_by_windows(x, y);
  s.report_ranges();
}

void Layer::transposed(View<const float> x, View<float> y) {
  LayerState& s = *state_;
  check_batch("transposed()", x, s.n_out, y, s.n_in);
  s.check_programmed();
  if (!s.session.info().transposed)
    throw Unsupported("layer: transposed pass of " + s.session.info().model, "the device has none", "",
                      "Use the programmed weights in memory, or a device that works backwards.");
  if (s.wants_calibration()) calibrate();
  // Scales and gains belong to the rows, which are driven here: they go into the drive.
  Matrix<float> drive(x.rows(), s.device_rows);
  for (Index r = 0; r < x.rows(); ++r)
    for (Index i = 0; i < s.n_out; ++i) {
      const RowPair pair = rows_of(s.weights, s.n_out, i);
      const auto scaled = static_cast<float>(static_cast<double>(x(r, i)) * s.scale[static_cast<std::size_t>(i)]);
      drive(r, pair.plus) = scaled / static_cast<float>(s.gain[static_cast<std::size_t>(pair.plus)]);
      if (s.weights == Weights::differential)
        drive(r, pair.minus) = -scaled / static_cast<float>(s.gain[static_cast<std::size_t>(pair.minus)]);
    }
  const double unit = s.range / s.mid_out;
  const std::vector<float> zero(static_cast<std::size_t>(s.n_in), static_cast<float>(s.mid_out));
  const std::vector<float> gain(zero.size(), static_cast<float>(unit));
  for (Index r = 0; r < drive.rows() && s.complex_field; ++r) conjugate(drive.row(r));
  s.pass(drive, Pass::transposed, [&](const Answer& answer) {
    const std::span<float> row = y.row(answer.row);
    decode(answer, zero, gain, row);
    if (s.complex_field) conjugate(row);
    if (s.rest == 0) return;
    double sum = 0;  // of the drive as it was shown and answered: what the rest of every cell adds to every input
    for (Index i = 0; i < s.n_out; ++i)
      sum += s.gain[static_cast<std::size_t>(i)] * (answer.in.at(answer.at, i) / s.mid_in - 1);
    const auto rest = static_cast<float>(answer.factor * s.rest * sum);
    for (float& value : row) value -= rest;
  });
}

std::vector<std::byte> Layer::snapshot() const {
  const LayerState& s = *state_;
  ByteWriter bytes;
  bytes.put(kSnapshotVersion);
  bytes.put(s.input.range);
  bytes.put(s.calibration.done);
  bytes.put(s.calibration.gain);
  bytes.put(s.calibration.residual);
  bytes.put_all(std::span<const double>(s.gain));
  bytes.put_all(std::span<const double>(s.offset));
  bytes.put(s.updates);
  const bool learns = s.learns() && s.programmed;
  // By pulses: not what program() would make of the same weights. Phases that have not learnt yet: not what their codes
  // are, which are rounded.
  // Without a twin: what they began as.
  const bool moved = (s.updates > 0 && s.programmed) || (learns && (s.steps == 0 || !s.twin));
  bytes.put(moved);
  if (moved) {
    bytes.put_all(std::span<const float>(s.target.flat()));
    bytes.put_all(std::span<const float>(s.held.flat()));
    if (s.pairs()) bytes.put_all(std::span<const float>(s.common.flat()));
  }
  bytes.put(s.base_range);
  bytes.put(s.output_factor);
  bytes.put(learns);
  if (learns) {
    bytes.put_all(std::span<const double>(s.scale));
    bytes.put(s.twin_gain);
    bytes.put(s.steps);
    for (const Matrix<float>* values : {&s.theta, &s.mean_slope, &s.mean_square})
      bytes.put_all(std::span<const float>(values->flat()));
  }
  const std::string weights = moved || learns ? std::string() : digest(s);
  bytes.put(!weights.empty());
  bytes.put_all(std::span<const char>(weights));
  bytes.put(s.programmed ? s.written : std::uint64_t{0});
  bytes.put(s.awaits_weights);
  put_window(bytes, s.input);
  put_window(bytes, s.output);
  bytes.put(s.output.range);
  return bytes.take();
}

void Layer::restore(const std::vector<std::byte>& state) {
  LayerState& s = *state_;
  ByteReader bytes(state, "layer snapshot");
  const auto version = bytes.get<std::uint8_t>();
  if (version < 1 || version == 2 || version > kSnapshotVersion) bytes.refuse("another version");
  RangeWindow input, output;
  input.range = bytes.get<double>();
  LayerCalibration calibration;
  calibration.done = bytes.get<bool>();
  calibration.gain = bytes.get<double>();
  calibration.residual = bytes.get<double>();
  std::vector<double> gain(s.gain.size()), offset(s.offset.size());
  bytes.get_all(std::span<double>(gain));
  bytes.get_all(std::span<double>(offset));
  const auto updates = version == 1 ? std::uint64_t{0} : bytes.get<std::uint64_t>();
  Matrix<float> target, held, common;
  if (version > 1 && bytes.get<bool>()) {
    target.resize(s.n_out, s.n_in);
    held.resize(s.n_out, s.n_in);
    bytes.get_all(std::span<float>(target.flat()));
    bytes.get_all(std::span<float>(held.flat()));
    if (version > 7 && s.pairs()) {
      common.resize(s.n_out, s.n_in);
      bytes.get_all(std::span<float>(common.flat()));
      for (const float value : common.flat())
        if (!(value >= 0 && value <= 1)) bytes.refuse("pairs that hold more than they can");
    }
  }
  double base = s.base_range, factor = s.output_factor;
  if (version > 3) {
    base = bytes.get<double>();
    factor = bytes.get<double>();
    if (!is_positive(base) || !is_positive(factor)) bytes.refuse("ranges that are none");
  }
  const bool learns = version > 3 && bytes.get<bool>();
  if (learns && !s.learns()) bytes.refuse("a programme that learns, for layer.update = " + s.params.text("update"));
  std::vector<double> scale = s.scale;
  double twin_gain = s.twin_gain;
  std::uint64_t steps = 0;
  Matrix<float> learnt[3];  // theta, running means
  if (learns) {
    if (version > 6) {
      scale.resize(static_cast<std::size_t>(s.n_out));
      bytes.get_all(std::span<double>(scale));
      if (!std::ranges::all_of(scale, is_positive)) bytes.refuse("scales that are none");
    }
    twin_gain = bytes.get<double>();
    steps = bytes.get<std::uint64_t>();
    if (!is_positive(twin_gain) || steps > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      bytes.refuse("a programme that no steps lead to");
    for (Matrix<float>& values : learnt) {
      values.resize(1, s.session.info().program->size());
      bytes.get_all(values.flat());
    }
    for (const float code : learnt[0].flat())
      if (!(code >= 0 && code <= static_cast<float>(s.session.info().program->highest())))
        bytes.refuse("codes out of range");
    if (!std::ranges::all_of(learnt[1].flat(), [](float v) { return std::isfinite(v); }) ||
        !std::ranges::all_of(learnt[2].flat(), [](float v) { return std::isfinite(v) && v >= 0; }))
      bytes.refuse("means that no gradients have");
  }
  const bool knows = version > 4 && bytes.get<bool>();
  std::string weights(knows ? sha256("").size() : 0, '0');
  bytes.get_all(std::span<char>(weights));
  const auto written = version > 5 ? bytes.get<std::uint64_t>() : std::uint64_t{0};
  const bool awaits_weights = version > 5 && bytes.get<bool>();
  if (version > 7) {
    take_window(bytes, input, s.input_law);
    take_window(bytes, output, s.output_law);
    output.range = bytes.get<double>();
    if (!(output.range >= 0) || !std::isfinite(output.range)) bytes.refuse("a running range that is none");
  }
  bytes.done();
  if (knows && s.programmed && weights != digest(s))
    throw InvalidParameter(
        "layer snapshot", "of other weights than those programmed",
        "a calibration belongs to the weights it was measured with",
        "program() the weights of the snapshot first; the session's own snapshot has the programme.");
  for (const float value : target.flat())
    if (!(learns ? std::isfinite(value) : value >= -1.0f && value <= s.highest_target()))
      bytes.refuse("weights that no cell holds");
  for (const float value : held.flat())
    if (!std::isfinite(value)) bytes.refuse("weights that are not finite");
  if (s.sets_range) s.set_range(base, factor);
  s.updates = updates;
  s.input = s.began = input;
  s.output = output;
  s.set_calibration(calibration);
  s.awaits_weights = awaits_weights;
  s.gain = std::move(gain);
  s.offset = std::move(offset);
  if (written != 0) s.written = written;  // what the session's own snapshot brings back
  if (learns && s.programmed) {
    s.scale = std::move(scale);
    s.twin_gain = twin_gain;
    s.steps = steps;
    s.theta = std::move(learnt[0]);
    s.mean_slope = std::move(learnt[1]);
    s.mean_square = std::move(learnt[2]);
    s.write_theta();
    if (target.size() == 0) return;
    s.target = std::move(target);
    s.held = std::move(held);
    s.find_largest_sum();
    return;
  }
  if (target.size() == 0 || !s.programmed) return;
  s.common = std::move(common);
  s.target = std::move(target);
  s.held = std::move(held);
  s.follow_target();
}

}  // namespace lightloop
