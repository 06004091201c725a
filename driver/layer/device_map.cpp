#include "driver/layer/device_map.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/layer/layer.hpp"

namespace lightloop {
namespace {

void check_shape(const char* what, View<const float> x, Index rows, Index width) {
  if (x.rows() != rows || x.cols() != width)
    throw ShapeMismatch(what, std::to_string(x.rows()) + " x " + std::to_string(x.cols()),
                        std::to_string(rows) + " x " + std::to_string(width));
}

std::string formats(Index inputs, Index input_bits, Index outputs, Index output_bits) {
  return std::to_string(inputs) + " inputs of " + std::to_string(input_bits) + " bits and " + std::to_string(outputs) +
         " outputs of " + std::to_string(output_bits);
}

}  // namespace

DeviceMap::DeviceMap(Session& session, Index width, double range, Index part, Index outputs, Index levels)
    : session_(session),
      width_(width),
      outputs_(outputs > 0 ? outputs : width),
      levels_(levels),
      range_(range),
      middle_(std::ldexp(1.0, session.info().input.bits - 1)) {
  const DeviceInfo& info = session.info();
  if (part < 0) throw OutOfRange("part of a map", std::to_string(part), "0 or more");
  if (levels < 1) throw OutOfRange("levels of a map", std::to_string(levels), "1 or more");
  if (levels > 1 && info.input.bits > 1)
    throw Unsupported("levels of a map on " + info.model, std::to_string(levels),
                      "its inputs have " + std::to_string(info.input.bits) + " bits each", "leave them out");
  part_ = std::min(width, info.input.size() / levels);
  if (outputs_ == width_) part_ = std::min(part_, info.output.size());
  if (part > 0) part_ = std::min(part_, part);
  if (part_ < 1)
    throw ShapeMismatch("map on " + info.model,
                        std::to_string(width) + (levels > 1 ? " of " + std::to_string(levels) + " levels" : ""),
                        "at least one number in " + std::to_string(info.input.size()) + " inputs");
  if (!(range > 0)) throw OutOfRange("range of a map", std::to_string(range), "above 0");
  const Index frames = frames_per_row();
  read_ = outputs_ == width_ ? part_ : (outputs_ + frames - 1) / frames;
  if (read_ > info.output.size())
    throw ShapeMismatch("map on " + info.model, std::to_string(outputs_) + " outputs from " + std::to_string(width_),
                        "the device has " + std::to_string(info.output.size()) + ", and a row takes " +
                            std::to_string(frames) + (frames == 1 ? " frame" : " frames"),
                        "open it with more (output.size), or ask for fewer");
}

/// Offset from the middle code, not rounded.
double DeviceMap::drive_of(double x, double reach) const {
  const double top = middle_ - 1;
  if (top < 1) return x > 0 ? 0 : -1;  // one bit: codes 1 and 0 around a "middle" of 1
  return std::clamp(x / reach, -1.0, 1.0) * top;
}

void DeviceMap::show(View<const float> x, double reach, double floor) {
  const DeviceInfo& info = session_.info();
  const Index parts = frames_per_row();
  in_.resize(info.input, x.rows() * parts);
  out_.resize(info.output, x.rows() * parts);
  const Frames in = in_.frames();
  const std::uint32_t rest = resting();
  std::int64_t clipped = 0;
  for (Index r = 0; r < x.rows(); ++r) {
    for (Index k = 0; k < parts; ++k) {
      const Index n = part_width(k);
      for (Index j = 0; j < n; ++j) {
        const auto value = static_cast<double>(x(r, k * part_ + j));
        if (!std::isfinite(value))
          throw InvalidParameter("input of a map on " + info.model, std::to_string(value), "must be finite",
                                 "Lower the learning rate.");
        clipped += (middle_ >= 2 || thermometer()) && std::abs(value) > reach;
        if (!thermometer())
          in.set(r * parts + k, j, static_cast<std::uint32_t>(middle_ + std::rint(drive_of(value, reach))));
        else
          for (Index i = 0; i < levels_; ++i)
            in.set(r * parts + k, j * levels_ + i,
                   value > floor + (static_cast<double>(i) + 0.5) / static_cast<double>(levels_) * (reach - floor));
      }
      for (Index j = n * levels_; j < info.input.size(); ++j) in.set(r * parts + k, j, rest);
    }
  }
  ask();
  report_.clipped_inputs += clipped;
}

void DeviceMap::ask() {
  const RunReport run = session_.run(std::as_const(in_).frames(), out_.frames());
  report_.frames += run.frames;
  report_.saturated += run.saturated;
}

void DeviceMap::forward(View<const float> x, View<float> y) {
  if (!calibrated()) throw Error("map on " + session_.info().model, "not calibrated", "", "Call calibrate() first.");
  check_shape("input of a map", x, x.rows(), width_);
  check_shape("output of a map", y, x.rows(), outputs_);
  if (x.rows() == 0) return;
  const auto& [reach, floor, outputs, mean, deviation] = calibration_;
  show(x, reach, floor);
  const ConstFrames out = std::as_const(out_).frames();
  const Index parts = frames_per_row();
  for (Index r = 0; r < x.rows(); ++r)
    for (Index k = 0; k < parts; ++k)
      for (Index i = 0; i < read_width(k); ++i) {
        const auto at = static_cast<std::size_t>(i);
        y(r, k * read_ + i) = static_cast<float>((out.at(r * parts + k, outputs[at]) - mean[at]) / deviation[at]);
      }
}

void DeviceMap::check_twin(const Twin& twin) const {
  const DeviceInfo& info = session_.info();
  if (middle_ < 2)
    throw Unsupported("gradient of a map on " + info.model, "its inputs have one bit", "a derivative needs more",
                      "use dfa or phyll");
  if (twin.inputs() != info.input.size() || twin.outputs() != info.output.size())
    throw ShapeMismatch("twin of " + info.model,
                        std::to_string(twin.inputs()) + " -> " + std::to_string(twin.outputs()),
                        std::to_string(info.input.size()) + " -> " + std::to_string(info.output.size()));
}

Matrix<float> DeviceMap::unrounded(View<const float> x) const {
  const Index parts = frames_per_row();
  Matrix<float> codes(x.rows() * parts, session_.info().input.size());
  std::ranges::fill(codes.flat(), static_cast<float>(middle_));
  for (Index f = 0; f < codes.rows(); ++f)
    for (Index j = 0; j < part_width(f % parts); ++j) {
      const auto value = static_cast<double>(x(f / parts, f % parts * part_ + j));
      codes(f, j) = static_cast<float>(middle_ + drive_of(value, calibration_.reach));
    }
  return codes;
}

void DeviceMap::model_forward(const Twin& twin, View<const float> x, View<float> y) const {
  if (!calibrated()) throw Error("map on " + session_.info().model, "not calibrated", "", "Call calibrate() first.");
  check_shape("input of a map", x, x.rows(), width_);
  check_shape("output of a map", y, x.rows(), outputs_);
  check_twin(twin);
  const auto& [reach, floor, outputs, mean, deviation] = calibration_;
  const Index parts = frames_per_row();
  const Matrix<float> codes = unrounded(x);
  Matrix<float> out(codes.rows(), twin.outputs());
  twin.forward(codes, out);
  for (Index f = 0; f < out.rows(); ++f)
    for (Index j = 0; j < read_width(f % parts); ++j) {
      const auto read = static_cast<std::size_t>(j);
      const auto code = static_cast<double>(out(f, outputs[read]));
      y(f / parts, f % parts * read_ + j) = static_cast<float>((code - mean[read]) / deviation[read]);
    }
}

void DeviceMap::backward(const Twin& twin, View<const float> x, View<const float> grad_y, View<float> grad_x) const {
  const DeviceInfo& info = session_.info();
  if (!calibrated()) throw Error("map on " + info.model, "not calibrated", "", "Call calibrate() first.");
  check_shape("gradient of a map", grad_y, x.rows(), outputs_);
  check_shape("gradient of a map", grad_x, x.rows(), width_);
  check_twin(twin);
  const auto& [reach, floor, outputs, mean, deviation] = calibration_;
  const Index parts = frames_per_row(), frames = x.rows() * parts;
  const double slope = (middle_ - 1) / reach;
  const Matrix<float> codes = unrounded(x);
  Matrix<float> above(frames, info.output.size()), below(frames, codes.cols());
  std::ranges::fill(above.flat(), 0.0f);
  for (Index f = 0; f < frames; ++f)
    for (Index j = 0; j < read_width(f % parts); ++j) {
      const Index at = f % parts * read_ + j;
      const auto read = static_cast<std::size_t>(j);
      above(f, outputs[read]) = static_cast<float>(static_cast<double>(grad_y(f / parts, at)) / deviation[read]);
    }
  twin.vjp(codes, above, below, {});
  for (Index f = 0; f < frames; ++f)
    for (Index j = 0; j < part_width(f % parts); ++j) {
      const Index at = f % parts * part_ + j;
      const bool clipped = std::abs(static_cast<double>(x(f / parts, at))) > reach;
      grad_x(f / parts, at) = clipped ? 0.0f : static_cast<float>(slope * static_cast<double>(below(f, j)));
    }
}

std::vector<std::byte> DeviceMap::snapshot() const {
  const DeviceInfo& info = session_.info();
  ByteWriter bytes;
  for (const Index n : {width_, part_, info.input.size(), Index{info.input.bits}, info.output.size(),
                        Index{info.output.bits}, static_cast<Index>(calibration_.outputs.size())})
    bytes.put(n);
  bytes.put(calibration_.reach);
  bytes.put_all(std::span<const Index>(calibration_.outputs));
  bytes.put_all(std::span<const double>(calibration_.mean));
  bytes.put_all(std::span<const double>(calibration_.deviation));
  for (const std::int64_t n : {report_.frames, report_.clipped_inputs, report_.saturated}) bytes.put(n);
  bytes.put(reference_.frames);  // snapshots of earlier versions end before
  bytes.put_all(std::span<const std::uint32_t>(reference_.shown));
  bytes.put_all(std::span<const std::uint32_t>(reference_.answered));
  if (outputs_ != width_ || thermometer()) bytes.put(outputs_);
  if (thermometer()) {
    bytes.put(levels_);
    bytes.put(calibration_.floor);
  }
  return bytes.take();
}

void DeviceMap::restore(const std::vector<std::byte>& state) {
  const DeviceInfo& info = session_.info();
  ByteReader bytes(state, "snapshot of a map on " + info.model);
  const auto width = bytes.get<Index>(), part = bytes.get<Index>();
  const auto inputs = bytes.get<Index>(), input_bits = bytes.get<Index>(), outputs = bytes.get<Index>(),
             output_bits = bytes.get<Index>();
  const auto count = bytes.get<Index>();
  if (inputs != info.input.size() || input_bits != info.input.bits || outputs != info.output.size() ||
      output_bits != info.output.bits)
    throw InvalidParameter(
        "calibration of a map on " + info.model, "made with " + formats(inputs, input_bits, outputs, output_bits),
        "the device has " + formats(info.input.size(), info.input.bits, info.output.size(), info.output.bits),
        "Train on it: its outputs are not those that the weights learned from.");
  if (width != width_ || part != part_ || (count != 0 && count != read_)) bytes.refuse("of another size");
  Calibration found;
  found.reach = bytes.get<double>();
  found.outputs.resize(static_cast<std::size_t>(count));
  found.mean.resize(found.outputs.size());
  found.deviation.resize(found.outputs.size());
  bytes.get_all(std::span(found.outputs));
  bytes.get_all(std::span(found.mean));
  bytes.get_all(std::span(found.deviation));
  MapReport report;
  for (std::int64_t* n : {&report.frames, &report.clipped_inputs, &report.saturated}) *n = bytes.get<std::int64_t>();
  Reference reference;
  if (bytes.left() > 0) {
    reference.frames = bytes.get<Index>();
    const Index rows = kReferenceRows * frames_per_row();
    if (reference.frames < 0 || reference.frames > (count == 0 ? 0 : rows)) bytes.refuse("damaged");
    for (const auto& [codes, each] : {std::pair{&reference.shown, part_ * levels_}, {&reference.answered, read_}}) {
      codes->resize(static_cast<std::size_t>(reference.frames * each));
      bytes.get_all(std::span(*codes));
    }
  }
  if ((bytes.left() > 0 ? bytes.get<Index>() : width) != outputs_) bytes.refuse("of another size");
  const bool single = bytes.left() == 0;
  if ((single ? 1 : bytes.get<Index>()) != levels_) bytes.refuse("of other levels");
  if (!single) found.floor = bytes.get<double>();
  bytes.done();
  const auto finite = [](double v) { return std::isfinite(v); };
  const bool sound = std::ranges::all_of(found.outputs, [&](Index i) { return i >= 0 && i < outputs; }) &&
                     std::ranges::all_of(found.mean, finite) &&
                     std::ranges::all_of(found.deviation, [&](double v) { return finite(v) && v > 0; }) &&
                     (count == 0 ? found.reach == 0 : finite(found.reach) && found.reach > 0) &&
                     (found.floor == 0 || found.floor == -found.reach) &&
                     std::ranges::all_of(reference.shown, [&](auto code) { return code <= info.input.highest(); });
  if (!sound) bytes.refuse("damaged");
  calibration_ = std::move(found);
  reference_ = std::move(reference);
  report_ = report;
}

bool holds_weights(Session& session) {
  try {
    Layer(session, 1, 1);
    return true;
  } catch (const Unsupported&) {
    return false;
  }
}

}  // namespace lightloop
