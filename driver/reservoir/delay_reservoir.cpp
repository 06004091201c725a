#include "driver/reservoir/delay_reservoir.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop {
namespace {

constexpr Index kFramesPerBatch = 1024;  // bounds the memory of codes under way

void in_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw OutOfRange(std::string("reservoir.") + name, std::to_string(value),
                     std::to_string(low) + " to " + std::to_string(high));
}

}  // namespace

DelayReservoir::DelayReservoir(Session& session, Matrix<float> mask, const DelayReservoirSettings& settings)
    : session_(session), mask_(std::move(mask)), settings_(settings) {
  const DeviceInfo& info = session_.info();
  if (info.kind != "reservoir")
    throw Unsupported("reservoir", session_.address(), "a device of kind reservoir is wanted, this is a " + info.kind);
  in_range("samples_per_node", static_cast<double>(settings_.samples_per_node), 1, 1e6);
  in_range("read_sample", static_cast<double>(settings_.read_sample), -1,
           static_cast<double>(settings_.samples_per_node - 1));
  in_range("gain", settings_.gain, -1e6, 1e6);
  in_range("bias", settings_.bias, -1e6, 1e6);
  if (mask_.size() == 0) throw ShapeMismatch("mask", "empty", "at least one node and one input");
  const Index period = mask_.rows() * settings_.samples_per_node, size = info.input.size();
  if (size % period != 0)
    throw ShapeMismatch("mask of " + std::to_string(period) + " samples",
                        "frames of " + std::to_string(size) + " samples at " + session_.address(),
                        "a frame holds a whole number of masks", "Set input.size or the number of nodes.");
  if (info.output.size() % size != 0)
    throw ShapeMismatch("codes returned per frame", std::to_string(info.output.size()),
                        "a whole multiple of the " + std::to_string(size) + " shown");
  per_frame_ = size / period;
  outputs_ = info.output.size() / size;
  check_delay();
}

void DelayReservoir::check_delay() const {
  const ParamSet& device = session_.device().settings();
  const Index period = mask_.rows() * settings_.samples_per_node;
  const std::string hint = "Take fewer nodes or a longer loop.";
  if (settings_.delay_samples > 0 && period > settings_.delay_samples)
    throw InvalidParameter("mask longer than the delay", std::to_string(period) + " samples",
                           "at most " + std::to_string(settings_.delay_samples), hint);
  if (!device.has("feedback.delay_s") || !device.has("sample_s")) return;
  const double mask_s = static_cast<double>(period) * device.real("sample_s"),
               delay_s = device.real("feedback.delay_s");
  if (mask_s > delay_s * (1 + 1e-9))
    throw InvalidParameter("mask longer than the delay", format_quantity(mask_s, "s"),
                           "at most feedback.delay_s = " + format_quantity(delay_s, "s"), hint);
}

void DelayReservoir::encode(View<const double> u, Index first, Index frames) {
  const FrameFormat& format = session_.info().input;
  drive_.resize(format, frames);
  const Frames out = drive_.frames();
  const double highest = format.highest();
  for (Index f = 0; f < frames; ++f)
    for (Index place = 0, at = 0; place < per_frame_; ++place) {
      const Index t = first + f * per_frame_ + place;
      for (Index i = 0; i < mask_.rows(); ++i) {
        double s = 0;
        for (Index k = 0; k < mask_.cols() && t < u.rows(); ++k) s += static_cast<double>(mask_(i, k)) * u(t, k);
        const double code = std::rint((settings_.gain * s + settings_.bias + 1) / 2 * highest);
        const double stored = std::clamp(code, 0.0, highest);  // NaN was refused in run()
        counts_.drive_clipped += code != stored ? settings_.samples_per_node : 0;
        for (Index j = 0; j < settings_.samples_per_node; ++j) out.set(f, at++, static_cast<std::uint32_t>(stored));
      }
    }
  counts_.drive += frames * format.size();
}

void DelayReservoir::decode(Index first, Index count, View<float> states) const {
  const DeviceInfo& info = session_.info();
  const ConstFrames in = detected_.frames();
  const Index spn = settings_.samples_per_node, size = info.input.size();
  const bool mean = settings_.read_sample < 0;
  const double scale = 1.0 / info.output.highest() / (mean ? static_cast<double>(spn) : 1.0);
  for (Index n = 0; n < count; ++n)
    for (Index c = 0; c < outputs_; ++c)
      for (Index i = 0; i < mask_.rows(); ++i) {
        const Index at = c * size + ((n % per_frame_) * mask_.rows() + i) * spn;
        double sum = 0;
        if (mean)
          for (Index j = 0; j < spn; ++j) sum += in.at(n / per_frame_, at + j);
        else
          sum = in.at(n / per_frame_, at + settings_.read_sample);
        states(first + n, c * mask_.rows() + i) = static_cast<float>(scale * sum);
      }
}

void DelayReservoir::run(View<const double> u, View<float> states) {
  check_run(*this, u, states);
  for (Index t = 0; t < u.rows(); ++t)
    for (const double value : u.row(t))
      if (!std::isfinite(value))
        throw InvalidParameter("input " + std::to_string(t) + " of the reservoir", std::to_string(value),
                               "finite numbers");
  for (Index first = 0; first < u.rows();) {
    const Index frames = std::min(kFramesPerBatch, (u.rows() - first + per_frame_ - 1) / per_frame_);
    encode(u, first, frames);
    detected_.resize(session_.info().output, frames);
    const RunReport report = session_.run(drive_.frames(), detected_.frames());
    counts_.detected += report.codes;
    counts_.detected_clipped += report.saturated;
    const Index count = std::min(frames * per_frame_, u.rows() - first);
    decode(first, count, states);
    first += count;
  }
}

}  // namespace lightloop
