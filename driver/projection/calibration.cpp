#include "driver/projection/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "driver/projection/exposure.hpp"

namespace lightloop {
namespace {

constexpr Index kExposureFrames = 64;  // assumed: 64 x 1024 pixels show a saturation of 1e-4 as six or seven codes
constexpr Index kCoarseFrames = 8;     // assumed: enough for a mean to some per cent
constexpr double kManyClipped = 0.01;  // assumed: far above what the search for an exposure leaves
constexpr double kLeastSignal = 2;     // in standard errors; a read-out of one pixel, 32 patterns, is at about 3.3
constexpr Index kScalePatterns = 32;   // assumed: the scale's error then is that of the finite matrix, not of the probe

double mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

class Calibrator {
 public:
  Calibrator(Shots& shots, const Readout& readout, const CalibrationPlan& plan)
      : shots_(shots), readout_(readout), plan_(plan), pattern_(static_cast<std::size_t>(plan.inputs)) {}

  Calibration run() {
    const bool searching = plan_.exposure_s == 0;
    const ExposureRange range = exposure_range(shots_.session());
    if (!searching && !range.settable())
      throw Unsupported("projection.exposure", "a value for " + shots_.session().info().model,
                        "a device with the setting camera.exposure", "Leave it at auto.");
    if (!searching) set_exposure(shots_.session(), plan_.exposure_s);
    if (searching && range.settable() && readout_.kind != Readout::Kind::phase) report(search_mean());
    if (searching && !range.settable()) warn("the device has no camera.exposure to set: its exposure is kept");
    choose_sources();
    if (searching && range.settable() && readout_.kind != Readout::Kind::intensity) report(search_saturation());
    if (range.settable()) result_.exposure_s = exposure_range(shots_.session()).present_s;
    result_.saturation = clipped_fraction();
    if (result_.saturation > kManyClipped)
      warn(std::to_string(std::lround(100 * result_.saturation)) +
           " % of the codes are clipped: shorten the exposure or attenuate the light");
    measure_levels();
    measure_offset();
    measure_gain();
    result_.done = true;
    return std::move(result_);
  }

 private:
  // Mean code per pixel over `frames` exposures of probe patterns (or of the empty pattern).
  std::vector<float> average(const Shot& shot, Index frames, bool empty) {
    shots_.begin(frames);
    std::fill(pattern_.begin(), pattern_.end(), std::uint8_t{0});
    for (Index k = 0; k < frames; ++k) {
      if (!empty) probe_pattern(plan_, static_cast<std::uint64_t>(k), pattern_);
      shots_.add(pattern_, shot);
    }
    shots_.run();
    std::vector<float> sum(static_cast<std::size_t>(shots_.pixels()));
    for (Index k = 0; k < frames; ++k) shots_.accumulate(k, 1, sum);
    for (float& v : sum) v /= static_cast<float>(frames);
    return sum;
  }

  ExposureFound search_mean() {
    const FrameFormat& camera = shots_.session().info().output;
    return search_exposure(shots_.session(), plan_.max_exposure_s, [&] {
      const double dark = mean(average({}, kCoarseFrames, true));
      const double bright = mean(average(readout_.shots.front(), kCoarseFrames, false));
      return bright - dark > (camera.highest() - dark) / full_scale_over_mean(camera.bits);
    });
  }

  ExposureFound search_saturation() {
    return search_exposure(shots_.session(), plan_.max_exposure_s,
                           [&] { return clipped_fraction() > plan_.saturation; });
  }

  // Of the pixels in use, in frames of the brightest kind.
  double clipped_fraction() {
    const std::uint32_t highest = shots_.session().info().output.highest();
    const auto pixels = static_cast<std::uint32_t>(shots_.pixels());
    shots_.begin(kExposureFrames);
    for (Index k = 0; k < kExposureFrames; ++k) {
      probe_pattern(plan_, static_cast<std::uint64_t>(k), pattern_);
      shots_.add(pattern_, bright_shot(k));
    }
    shots_.run();
    Index clipped = 0, codes = 0;
    for (const std::uint32_t source : result_.source) {
      if (source >= pixels) break;  // imaginary parts look at the same pixels
      for (Index k = 0; k < kExposureFrames; ++k) clipped += shots_.code(k, source) == highest;
      codes += kExposureFrames;
    }
    return static_cast<double>(clipped) / static_cast<double>(codes);
  }
  // Every shot of phase stepping is bright, of the others the first.
  const Shot& bright_shot(Index k) const {
    const auto n = readout_.kind == Readout::Kind::phase ? static_cast<Index>(readout_.shots.size()) : 1;
    return readout_.shots[static_cast<std::size_t>(k % n)];
  }

  void choose_sources() {
    const auto count = static_cast<std::size_t>(plan_.outputs);
    result_.source.resize(count);
    std::iota(result_.source.begin(), result_.source.end(), 0u);
    if (readout_.kind == Readout::Kind::phase) {
      const std::size_t half = (count + 1) / 2;
      for (std::size_t j = half; j < count; ++j)
        result_.source[j] = static_cast<std::uint32_t>(static_cast<std::size_t>(shots_.pixels()) + j - half);
    }
    if (readout_.kind != Readout::Kind::anchor) return;
    measure_levels();
    auto anchor = average(Shot{.anchor = true}, kCoarseFrames, true);
    for (std::size_t i = 0; i < anchor.size(); ++i) anchor[i] -= dark_[i];
    result_.source = choose_pixels(anchor, plan_.outputs, result_.signal_code);
  }

  void measure_levels() {
    dark_ = average({}, kCoarseFrames, true);
    result_.dark_code = mean(dark_);
    result_.signal_code = mean(average({}, kCoarseFrames, false)) - result_.dark_code;
  }

  void measure_offset() {
    std::fill(pattern_.begin(), pattern_.end(), std::uint8_t{0});
    shots_.begin(plan_.frames * static_cast<Index>(readout_.shots.size()));
    for (Index k = 0; k < plan_.frames; ++k)
      for (const Shot& shot : readout_.shots) shots_.add(pattern_, shot);
    shots_.run();
    const std::vector<float> sum = decode(0, shots_.count());
    result_.offset.resize(result_.source.size());
    for (std::size_t j = 0; j < result_.source.size(); ++j)
      result_.offset[j] = sum[result_.source[j]] / static_cast<float>(plan_.frames);
  }

  // sum of coefficient * code over whole turns of the read-out, per source.
  std::vector<float> decode(Index first, Index frames) const {
    const auto pixels = static_cast<std::size_t>(shots_.pixels());
    std::vector<float> sum(pixels * static_cast<std::size_t>(readout_.parts()));
    for (Index f = 0; f < frames; ++f) {
      const Shot& shot = readout_.shots[static_cast<std::size_t>(f) % readout_.shots.size()];
      shots_.accumulate(first + f, shot.real, std::span(sum).first(pixels));
      if (readout_.parts() == 2) shots_.accumulate(first + f, shot.imaginary, std::span(sum).subspan(pixels));
    }
    return sum;
  }

  void measure_gain() {
    result_.gain.assign(result_.source.size(), 1.0f);
    if (readout_.kind == Readout::Kind::anchor) divide_by_root(result_.offset);
    if (readout_.kind == Readout::Kind::phase) {
      const std::vector<float> power = reference_power();
      std::vector<float> per_output(result_.source.size());
      for (std::size_t j = 0; j < per_output.size(); ++j) per_output[j] = power[result_.source[j] % power.size()];
      divide_by_root(per_output);
    }
    const double scale = plan_.gain > 0 ? plan_.gain : measured_scale();
    for (float& g : result_.gain) g = static_cast<float>(g * scale);
  }

  // |r|^2 per pixel: the empty pattern averaged over the phases, above the closed shutter. A constant field beside r
  // drops out, because the phases of a read-out average to zero.
  std::vector<float> reference_power() {
    const auto turns = kCoarseFrames;
    std::fill(pattern_.begin(), pattern_.end(), std::uint8_t{0});
    const auto steps = static_cast<Index>(readout_.shots.size());
    shots_.begin(2 * turns * steps);
    for (Index k = 0; k < turns; ++k)
      for (const Shot& shot : readout_.shots) {
        shots_.add(pattern_, shot);
        shots_.add(pattern_, {});
      }
    shots_.run();
    std::vector<float> power(static_cast<std::size_t>(shots_.pixels()));
    const float weight = 1 / static_cast<float>(turns * steps);
    for (Index f = 0; f < shots_.count(); ++f) shots_.accumulate(f, f % 2 == 0 ? weight : -weight, power);
    return power;
  }

  void divide_by_root(std::span<const float> power) {
    const double floor = 0.01 * mean(power);
    if (!(floor > 0))
      throw Error("projection calibration", "no light from the anchor or reference", "a positive mean intensity",
                  "Check laser power, shutter, reference arm and exposure.");
    Index dim = 0;
    for (std::size_t j = 0; j < power.size(); ++j) {
      dim += power[j] < floor;
      result_.gain[j] = static_cast<float>(1 / std::sqrt(std::max<double>(power[j], floor)));
    }
    if (dim > 0)
      warn(std::to_string(dim) + " outputs sit on pixels darker than 1 % of the mean: raise projection.oversampling");
  }

  double measured_scale() {
    const auto shots = static_cast<Index>(readout_.shots.size());
    shots_.begin(kScalePatterns * 2 * shots);
    for (Index k = 0; k < kScalePatterns; ++k) {
      probe_pattern(plan_, static_cast<std::uint64_t>(k), pattern_);
      for (int repeat = 0; repeat < 2; ++repeat)
        for (const Shot& shot : readout_.shots) shots_.add(pattern_, shot);
    }
    shots_.run();
    double power = 0, squares = 0;
    for (Index k = 0; k < kScalePatterns; ++k) {
      const auto one = decode(2 * k * shots, shots), two = decode((2 * k + 1) * shots, shots);
      for (std::size_t j = 0; j < result_.source.size(); ++j) {
        const double a = result_.gain[j] * (one[result_.source[j]] - result_.offset[j]);
        const double b = result_.gain[j] * (two[result_.source[j]] - result_.offset[j]);
        const double one_output = readout_.kind == Readout::Kind::intensity ? (a + b) / 2 : a * b;
        power += one_output;
        squares += one_output * one_output;
      }
    }
    const double standard_errors = power / std::sqrt(squares);  // NaN when every value is 0
    power /= static_cast<double>(kScalePatterns * plan_.outputs * plan_.on);
    if (!(standard_errors > kLeastSignal))
      throw Error("projection calibration", "no light that depends on the input", "a positive mean",
                  "Check laser power, modulator and exposure.");
    return readout_.kind == Readout::Kind::intensity ? 1 / power : 1 / std::sqrt(power);
  }

  void report(const ExposureFound& found) {
    if (found.at_min) warn("too bright even at the shortest exposure: attenuate the light");
    if (found.at_max) warn("too dark even at the longest exposure: raise the light or projection.max_exposure");
  }
  void warn(const std::string& text) {
    if (std::find(result_.warnings.begin(), result_.warnings.end(), text) == result_.warnings.end())
      result_.warnings.push_back(text);
  }

  Shots& shots_;
  const Readout& readout_;
  const CalibrationPlan& plan_;
  std::vector<std::uint8_t> pattern_;
  std::vector<float> dark_;
  Calibration result_;
};

}  // namespace

void probe_pattern(const CalibrationPlan& plan, std::uint64_t k, std::span<std::uint8_t> pattern) {
  std::vector<std::uint32_t> order(pattern.size());
  Stream(plan.seed, 0, Purpose::calibration).permutation(k, order);
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = order[i] < static_cast<std::uint32_t>(plan.on);
}

CalibrationCost calibration_cost(const Readout& readout, const CalibrationPlan& plan) {
  const auto shots = static_cast<Index>(readout.shots.size());
  const bool searching = plan.exposure_s == 0;
  CalibrationCost cost;
  const auto add = [&](Index batches, Index frames) {
    cost.batches += batches;
    cost.frames += batches * frames;
  };
  if (searching && readout.kind != Readout::Kind::phase) add(2 * kExposureTrials, kCoarseFrames);
  if (searching && readout.kind != Readout::Kind::intensity) add(kExposureTrials, kExposureFrames);
  if (readout.kind == Readout::Kind::anchor) add(3, kCoarseFrames);
  add(1, kExposureFrames);
  add(2, kCoarseFrames);
  add(1, plan.frames * shots);
  if (readout.kind == Readout::Kind::phase) add(1, 2 * kCoarseFrames * shots);
  if (plan.gain == 0) add(1, kScalePatterns * 2 * shots);
  return cost;
}

Calibration calibrate(Shots& shots, const Readout& readout, const CalibrationPlan& plan) {
  return Calibrator(shots, readout, plan).run();
}

}  // namespace lightloop
