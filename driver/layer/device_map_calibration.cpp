// Gain and offset of the detectors behind a map: set once, and later brought back to what they were.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/error.hpp"
#include "driver/layer/device_map.hpp"
#include "driver/layer/layer.hpp"  // CalibrationError

namespace lightloop {
namespace {

// Fewer do not tell an answer from noise: of ten, the correlation of noise alone is above 0.95 once in 10^5.
constexpr Index kFewest = 10;

struct Spread {
  double mean = 0, deviation = 0;
  double repeats = 0;  ///< correlation between two showings, in millionths so that rounding decides nothing
};

Spread spread(const ConstFrames& once, const ConstFrames& again, Index output) {
  const auto n = static_cast<double>(once.count);
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
  for (Index f = 0; f < once.count; ++f) {
    a += once.at(f, output) / n;
    b += again.at(f, output) / n;
  }
  for (Index f = 0; f < once.count; ++f) {
    const double x = once.at(f, output) - a, y = again.at(f, output) - b;
    aa += x * x / n;
    bb += y * y / n;
    ab += x * y / n;
  }
  constexpr double kRounding = 1e-6;  // codes are whole numbers: a smaller deviation comes from the sums
  const double first = std::sqrt(aa), second = std::sqrt(bb);
  if (!(second > kRounding)) return {b, 0.0, 0.0};
  return {b, second, first > kRounding ? std::round(1e6 * ab / (first * second)) : 0.0};
}

/// Whether any output follows what is shown: of noise alone the correlations have mean 0 and deviation 1 / sqrt(n).
bool follow(const std::vector<Spread>& outputs, Index frames) {
  const auto n = static_cast<double>(frames);
  double moving = 0, best = 0, sum = 0;
  for (const Spread& one : outputs) {
    if (one.deviation == 0) continue;
    moving += 1;
    best = std::max(best, one.repeats / 1e6);
    sum += one.repeats / 1e6;
  }
  return best > std::min(0.95, 5 / std::sqrt(n)) || sum > 3 * std::sqrt(moving / n);
}

std::vector<Spread> spreads(const ConstFrames& once, const ConstFrames& again) {
  std::vector<Spread> all(static_cast<std::size_t>(again.size));
  for (Index i = 0; i < again.size; ++i) all[static_cast<std::size_t>(i)] = spread(once, again, i);
  return all;
}

void check_answers(const DeviceInfo& info, const std::vector<Spread>& outputs, Index frames) {
  if (!follow(outputs, frames))
    throw CalibrationError("map on " + info.model, "no output follows the input", "",
                           "Is the source on, and the detector exposed?");
}

/// Of two showings, (frames, outputs).
std::vector<std::uint32_t> sums(const ConstFrames& once, const ConstFrames& again, Index frames,
                                const std::vector<Index>& outputs) {
  std::vector<std::uint32_t> all;
  for (Index f = 0; f < frames; ++f)
    for (const Index i : outputs) all.push_back(once.at(f, i) + again.at(f, i));
  return all;
}

struct Moments {
  double mean = 0, deviation = 0;
};

/// Of the codes at one place of rows of `width` sums.
Moments moments(const std::vector<std::uint32_t>& sums, std::size_t place, std::size_t width) {
  const auto n = static_cast<double>(sums.size() / width);
  double mean = 0, square = 0;
  for (std::size_t k = place; k < sums.size(); k += width) mean += sums[k] / 2.0 / n;
  for (std::size_t k = place; k < sums.size(); k += width) square += std::pow(sums[k] / 2.0 - mean, 2) / n;
  return {mean, std::sqrt(square)};
}

}  // namespace

void DeviceMap::calibrate(View<const float> x) {
  if (x.cols() != width_)
    throw ShapeMismatch("calibration of a map", std::to_string(x.cols()) + " columns", std::to_string(width_));
  double power = 0;
  bool negative = false;
  for (Index r = 0; r < x.rows(); ++r)
    for (const float v : x.row(r)) {
      power += static_cast<double>(v) * static_cast<double>(v);
      negative |= v < 0;
    }
  if (x.rows() * frames_per_row() < kFewest || !(power > 0) || !std::isfinite(power))
    throw InvalidParameter("calibration of a map", std::to_string(x.rows()) + " rows of power " + std::to_string(power),
                           std::to_string(kFewest) + " frames at least, finite and not all zero",
                           "Give more rows: a larger batch.");
  Calibration found;
  found.reach = range_ * std::sqrt(power / static_cast<double>(x.size()));
  if (thermometer() && negative) found.floor = -found.reach;
  show(x, found.reach, found.floor);
  const FrameBuffer first = out_;
  show(x, found.reach, found.floor);
  const ConstFrames once = first.frames(), again = std::as_const(out_).frames();
  const std::vector<Spread> all = spreads(once, again);
  std::vector<Index>& read = found.outputs;
  read.resize(all.size());
  std::iota(read.begin(), read.end(), Index{0});
  std::ranges::stable_sort(read, std::greater{}, [&](Index i) { return all[static_cast<std::size_t>(i)].repeats; });
  read.resize(static_cast<std::size_t>(read_));
  std::ranges::sort(read);
  for (const Index i : read) {
    const Spread& one = all[static_cast<std::size_t>(i)];
    found.mean.push_back(one.mean);
    found.deviation.push_back(std::max(one.deviation, least_deviation()));
  }
  check_answers(session_.info(), all, again.count);
  Reference kept;
  kept.frames = std::min(x.rows(), kReferenceRows) * frames_per_row();
  const Frames in = in_.frames();
  for (Index f = 0; f < kept.frames; ++f)
    for (Index j = 0; j < part_ * levels_; ++j) kept.shown.push_back(in.at(f, j));
  kept.answered = sums(once, again, kept.frames, read);
  calibration_ = std::move(found);
  reference_ = std::move(kept);
}

/// What hardly moves is not blown up.
double DeviceMap::least_deviation() const { return std::min(1.0, session_.info().output.highest() / 2.0); }

void DeviceMap::recalibrate() {
  const DeviceInfo& info = session_.info();
  if (!calibrated()) throw Error("map on " + info.model, "not calibrated", "", "Call calibrate() first.");
  if (reference_.frames == 0)
    throw InvalidParameter("recalibration of a map on " + info.model, "no answers to compare with",
                           "those of its first calibration, which earlier versions did not keep",
                           "Leave it out, or train anew.");
  const auto read = static_cast<std::size_t>(read_);
  in_.resize(info.input, reference_.frames);
  out_.resize(info.output, reference_.frames);
  const Frames in = in_.frames();
  for (Index f = 0; f < reference_.frames; ++f)
    for (Index j = 0; j < info.input.size(); ++j)
      in.set(f, j,
             j < part_ * levels_ ? reference_.shown[static_cast<std::size_t>(f * part_ * levels_ + j)] : resting());
  ask();
  const FrameBuffer first = out_;
  ask();
  const ConstFrames once = first.frames(), again = std::as_const(out_).frames();
  check_answers(info, spreads(once, again), again.count);
  auto& [reach, floor, outputs, mean, deviation] = calibration_;
  std::vector<std::uint32_t> answered = sums(once, again, again.count, outputs);
  for (std::size_t i = 0; i < read; ++i) {
    const Moments then = moments(reference_.answered, i, read), now = moments(answered, i, read);
    const double gain = std::max(now.deviation, least_deviation()) / std::max(then.deviation, least_deviation());
    mean[i] += now.mean - then.mean + (gain - 1) * (mean[i] - then.mean);  // exactly as before where nothing changed
    deviation[i] *= gain;
  }
  reference_.answered = std::move(answered);
}

}  // namespace lightloop
