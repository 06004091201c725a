// Gain and offset of the device's answers against what was programmed, and the range they take.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

/// Sums of a straight-line fit z = gain e + offset.
struct Line {
  double n = 0, e = 0, z = 0, ee = 0, ez = 0, zz = 0;
  void add(double promised, double measured) {
    n += 1;
    e += promised;
    z += measured;
    ee += promised * promised;
    ez += promised * measured;
    zz += measured * measured;
  }
  void add(const Line& o) {
    n += o.n;
    e += o.e;
    z += o.z;
    ee += o.ee;
    ez += o.ez;
    zz += o.zz;
  }
  double spread() const { return ee - e * e / n; }
  double gain() const { return (ez - e * z / n) / spread(); }
  double offset() const { return (z - gain() * e) / n; }
  /// Standard error of the gain.
  double error() const { return std::sqrt(std::max(0.0, rest(gain(), offset())) / std::max(1.0, n - 2) / spread()); }
  bool rises() const { return gain() > 3 * error(); }  // assumed
  /// Sum of squares left by z = g e + o.
  double rest(double g, double o) const { return zz - 2 * (g * ez + o * z) + g * g * ee + 2 * g * o * e + n * o * o; }
};

/// Nothing is promised: what is answered all the same are offsets.
void fit_offsets(LayerState& s, const std::vector<Line>& lines, const Line& all) {
  const bool column = s.params.text("compensation") == "column";
  s.gain.assign(lines.size(), 1.0);
  for (std::size_t i = 0; i < lines.size(); ++i)
    s.offset[i] = column && lines[i].n > 0 ? lines[i].z / lines[i].n : all.n > 0 ? all.z / all.n : 0;
  s.set_calibration({true, 1, 0});
}

/// Shows `x` (full drive) and fits the answers; gives the largest answer to be met at full drive, in device units: the
/// largest that the fit promises and three times the rms of what it does not explain. `narrow`: whether answers met an
/// end of the ADC at full drive; it is set also where the fit fails. Rows that met an end at any drive tell nothing.
double fit(LayerState& s, View<const float> x, bool& narrow) {
  const Index vectors = x.rows();
  Matrix<float> shown(vectors, s.n_in), measured(vectors, s.device_rows), promised(vectors, s.device_rows);
  const double at_full = (s.mid_in - 1) / s.mid_in;
  const RangeWindow input = s.input;
  const std::int64_t saturated = s.report.saturated;
  const std::uint32_t highest = s.session.info().output.highest();
  std::vector<unsigned char> used(static_cast<std::size_t>(vectors), 1);
  s.pass(x, Pass::forward, [&](const Answer& answer) {
    if (s.most_repeats() > 0 && codes_at_ends(answer.out, answer.at, s.device_rows, highest) > 0) {
      used[static_cast<std::size_t>(answer.row)] = 0;
      return;
    }
    for (Index j = 0; j < s.n_in; ++j)
      shown(answer.row, j) = static_cast<float>(answer.in.at(answer.at, j) / s.mid_in - 1);
    for (Index i = 0; i < s.device_rows; ++i)
      measured(answer.row, i) = static_cast<float>(s.device_unit(answer.out.at(answer.at, i)));
  });
  s.input = input;
  narrow = s.report.saturated > saturated;
  for (Index r = 0; r < vectors; ++r)  // bound management halves the drive
    narrow = narrow || (static_cast<double>(largest_size(x.row(r))) > kLeastRange &&
                        static_cast<double>(largest_size(shown.row(r))) < 0.75 * at_full);
  gemm(Transpose::no, Transpose::yes, 1.0f, shown, s.target, 0.0f, promised);
  std::vector<Line> lines(static_cast<std::size_t>(s.device_rows));
  Line all;
  for (Index i = 0; i < s.device_rows; ++i) {
    Line& line = lines[static_cast<std::size_t>(i)];
    for (Index r = 0; r < vectors; ++r)
      if (used[static_cast<std::size_t>(r)] != 0)
        line.add(static_cast<double>(promised(r, i)), static_cast<double>(measured(r, i)));
    all.add(line);
  }
  if (s.largest_sum == 0) {
    fit_offsets(s, lines, all);
    return 0;
  }
  if (!(all.spread() > 0))
    throw CalibrationError("layer: calibration", "nothing to compare answers with", "",
                           "Every answer was at the end of the ADC at any drive: give the device a wider adc.range.");
  if (!all.rises())
    throw CalibrationError("layer: calibration",
                           "gain " + std::to_string(all.gain()) + " +- " + std::to_string(all.error()),
                           "three standard errors above 0",
                           "The answers do not follow the drive: check the device, its size and its ADC range "
                           "(layer.output_range = measured sets it by the answers).");
  const bool column = s.params.text("compensation") == "column";
  double rest = 0;  // of the device's rows
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    const bool own = column && line.spread() > 0 && line.rises();  // a row of zeros has the gain of all
    s.gain[i] = own ? line.gain() : all.gain();
    s.offset[i] = own ? line.offset() : all.offset();
    rest += line.rest(s.gain[i], s.offset[i]);
  }
  double largest = 0;          // rows were shown at the full drive or a half, a quarter, .. of it
  double wanted = 0, off = 0;  // sums of squares over the outputs
  for (Index r = 0; r < vectors; ++r) {
    if (used[static_cast<std::size_t>(r)] == 0) continue;
    const auto corrected = [&](Index i) {
      const auto n = static_cast<std::size_t>(i);
      return (static_cast<double>(measured(r, i)) - s.offset[n]) / s.gain[n];
    };
    for (Index i = 0; i < s.n_out; ++i) {
      const RowPair pair = rows_of(s.weights, s.n_out, i);
      double product = static_cast<double>(promised(r, pair.plus)), answer = corrected(pair.plus);
      if (pair.minus >= 0) {
        product -= static_cast<double>(promised(r, pair.minus));
        answer -= corrected(pair.minus);
      }
      wanted += product * product;
      off += (answer - product) * (answer - product);
    }
    const double full = at_full / std::max(1e-30, static_cast<double>(largest_size(shown.row(r))));
    for (Index i = 0; i < s.device_rows; ++i) {
      const auto n = static_cast<std::size_t>(i);
      largest = std::max(largest, std::abs(full * s.gain[n] * static_cast<double>(promised(r, i)) + s.offset[n]));
    }
  }
  s.set_calibration({true, all.gain(), wanted > 0 ? std::sqrt(off / wanted) : 0});
  return largest + 3 * std::sqrt(std::max(0.0, rest) / all.n);
}

/// Fits, and moves the ADC's range until the answers fill it.
void find_range(LayerState& s, View<const float> x) {
  // A range far too wide rounds answers away: what the fit says of them gets better as the range comes nearer.
  // Assumed, both: a range within a fifth of the wanted one changes rounding by as little as another seed; 8^5 = 15
  // bits of range are searched where nothing is seen.
  constexpr double kNear = 1.2, kBlind = 8;
  for (int round = 0;; ++round) {
    const bool last = !s.sets_range || round == kRangeMoves;
    bool narrow = false;
    double wanted = 0;
    try {
      wanted = kHeadroom * fit(s, x, narrow);
      if (s.largest_sum == 0) return;  // no answers to move a range by
    } catch (const CalibrationError&) {
      // Nothing could be made out: all answers met the ends, or none left the middle. With no weights it stays so.
      const bool moved =
          !last && s.largest_sum > 0 && s.set_range(narrow ? kBlind * s.base_range : s.base_range / kBlind, 1);
      if (!moved) throw;
      continue;
    }
    const double ratio = wanted / s.base_range;
    if (last || (ratio > 1 / kNear && ratio < kNear) || !s.set_range(wanted, 1)) return;
  }
}

}  // namespace

bool LayerState::set_range(double base, double factor) {
  double now = range;
  for (const ParamInfo& info : session.settings().infos())
    if (info.name == "adc.range") now = std::clamp(base * factor, info.min, info.max);
  if (session.settings().real("adc.range") != now) session.configure({{"adc.range", now}});
  const bool moved = now != range;
  range = now;
  output_factor = factor;
  base_range = now / factor;
  return moved;
}

Index Layer::calibration_frames() const {
  const LayerState& s = *state_;
  if (s.range_known && !s.params.boolean("calibrate")) return 0;
  return s.params.integer("calibration_vectors") * (s.sets_range ? kRangeMoves + 1 : 1);
}

void Layer::calibrate() {
  LayerState& s = *state_;
  s.check_programmed();
  if (s.left_out()) {
    s.forget_calibration();
    s.set_calibration({true, 1, 0});
    s.awaits_weights = true;
    return;
  }
  const Index vectors = s.params.integer("calibration_vectors");
  Matrix<float> x(vectors, s.n_in);
  const Stream signs(static_cast<std::uint64_t>(s.params.integer("seed")), 1, Purpose::calibration);
  // Signs times the range in use: every level of the drive is then exactly known. Numbers in the middle of (0, 1) let
  // an input rest, none at density 1; a row at rest tells nothing, so that one input is driven at least.
  const auto level = static_cast<float>(s.row_range(s.params.real("input_range")));
  const auto driven = static_cast<float>(s.params.real("calibration_density") / 2);
  for (Index r = 0; r < vectors; ++r) {
    signs.uniform(static_cast<std::uint64_t>(r), 0, x.row(r));
    for (float& value : x.row(r)) value = value < driven ? -level : value >= 1 - driven ? level : 0;
    if (largest_size(x.row(r)) == 0) x(r, r % s.n_in) = level;
  }
  const double base = s.base_range, factor = s.output_factor;
  const LayerCalibration calibration = s.calibration;
  const std::vector<double> gain = s.gain, offset = s.offset;
  const NotFollowed calibrating(s);
  try {
    // A factor below 1 has answers clipped, and a line through those has another gain.
    if (s.sets_range && factor != 1) s.set_range(base, 1);
    find_range(s, x);
    if (s.sets_range && factor != 1) s.set_range(s.base_range, factor);
    s.awaits_weights = false;
    s.output = {};
  } catch (...) {
    s.set_calibration(calibration);
    s.gain = gain;
    s.offset = offset;
    try {
      if (s.sets_range) s.set_range(base, factor);
    } catch (const Error&) {  // of a device that has failed for the reason that is told
      s.output_factor = factor;
      s.base_range = s.range / factor;
    }
    throw;
  }
}

}  // namespace lightloop
