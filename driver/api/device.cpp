#include "driver/api/device.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {
void check_shape(const std::string& what, Index count, Index size, int bytes, Index wanted_size, int wanted_bytes) {
  if (size != wanted_size)
    throw ShapeMismatch(what, std::to_string(size) + " codes per frame", std::to_string(wanted_size) + " expected",
                        "Settings such as input.size and output.size, given when the device is opened, may change it.");
  if (bytes != wanted_bytes)
    throw ShapeMismatch(what, std::to_string(bytes) + " bytes per code", std::to_string(wanted_bytes) + " expected",
                        "Codes of up to 8 bits are stored in one byte, wider ones in two.");
  if (count < 0) throw ShapeMismatch(what, std::to_string(count) + " frames", "0 or more");
}

template <class T>
std::uint32_t highest_in(View<const T> codes) {
  T top = 0;
  const T* data = codes.data();
  for (Index i = 0; i < codes.size(); ++i) top = std::max(top, data[i]);
  return top;
}

void check_codes(const std::string& what, const ConstFrames& frames, const FrameFormat& format) {
  if (format.bits == 8 * format.bytes()) return;  // every stored value is a code
  const std::uint32_t top = frames.bytes == 1 ? highest_in(frames.u8()) : highest_in(frames.u16());
  if (top > format.highest())
    throw OutOfRange(what + " code", std::to_string(top),
                     "0.." + std::to_string(format.highest()) + " for " + std::to_string(format.bits) + " bits");
}

void check_aux(const DeviceInfo& info, const ConstFrames& in) {
  if (in.aux.cols() == 0) return;  // at rest
  const Index wanted = static_cast<Index>(info.aux_inputs.size());
  if (in.aux.rows() != in.count || in.aux.cols() != wanted)
    throw ShapeMismatch(info.model + " auxiliary codes",
                        std::to_string(in.aux.rows()) + " x " + std::to_string(in.aux.cols()),
                        std::to_string(in.count) + " x " + std::to_string(wanted) + " expected");
  for (Index r = 0; r < in.count; ++r) {
    for (Index c = 0; c < wanted; ++c) {
      const AuxFormat& aux = info.aux_inputs[static_cast<std::size_t>(c)];
      if (in.aux(r, c) >> aux.bits)
        throw OutOfRange(info.model + " auxiliary code " + aux.name, std::to_string(in.aux(r, c)),
                         "0.." + std::to_string((1u << aux.bits) - 1u));
    }
  }
}
}  // namespace

void check_deadline(const RunOptions& options, const std::string& who) {
  if (options.deadline && std::chrono::steady_clock::now() >= *options.deadline)
    throw Timeout(who, "the deadline has passed", "", "Allow more time, or run fewer frames at once.");
}

void check_run(const DeviceInfo& info, const ConstFrames& in, const Frames& out, Pass pass) {
  const bool forward = pass == Pass::forward;
  check_shape(info.model + " input", in.count, in.size, in.bytes, (forward ? info.input : info.output).size(),
              info.input.bytes());
  check_shape(info.model + " output", out.count, out.size, out.bytes, (forward ? info.output : info.input).size(),
              info.output.bytes());
  if (in.count != out.count)
    throw ShapeMismatch(info.model + " output", std::to_string(out.count) + " frames",
                        std::to_string(in.count) + " expected, one for each input frame");
  check_codes(info.model + " input", in, info.input);
  check_aux(info, in);
}

void Device::check_frames(const ConstFrames& in, const Frames& out, const RunOptions& options) const {
  const DeviceInfo& info = describe();
  if (options.pass == Pass::transposed && !info.transposed) unsupported("transposed pass");
  check_run(info, in, out, options.pass);
  if (in.count > info.max_batch)
    throw OutOfRange(info.model + " batch", std::to_string(in.count) + " frames",
                     "at most " + std::to_string(info.max_batch), "A Session cuts larger batches to size.");
  check_deadline(options, info.model);
}

void Device::check_program(const ConstFrames& codes) const {
  const DeviceInfo& info = describe();
  if (!info.program) unsupported("programming");
  const std::string what = info.model + " programme";
  check_shape(what, codes.count, codes.size, codes.bytes, info.program->size(), info.program->bytes());
  if (codes.count != 1) throw ShapeMismatch(what, std::to_string(codes.count) + " frames", "exactly 1");
  check_codes(what, codes, *info.program);
}

ParamSet Device::changed(const Settings& changes) const {
  ParamSet next = settings();
  next.set(changes);
  for (const ParamInfo& info : next.infos()) {
    if (info.needs_reopen && next.value(info.name) != settings().value(info.name))
      throw Unsupported(describe().model + ": changing " + info.name + " while open", to_string(next.value(info.name)),
                        "now " + to_string(settings().value(info.name)),
                        "Give it in the device string, or open the device again.");
  }
  return next;
}

void Device::check_open(bool open) const {
  if (!open) throw LinkError(describe().model, "the device is closed", "", "Open it again.");
}

void Device::unsupported(const std::string& capability) const {
  const DeviceInfo& info = describe();
  throw Unsupported(info.model + " (" + info.kind + ")", "has no " + capability);
}

void Device::program(ConstFrames) { unsupported("programming"); }

void Device::reset() {
  if (describe().stateful) unsupported("reset");
}

std::vector<std::byte> Device::snapshot() const {
  if (describe().stateful) unsupported("snapshot");
  return {};
}

void Device::restore(const std::vector<std::byte>& state) {
  if (describe().stateful) unsupported("restore");
  if (!state.empty())
    throw InvalidParameter(describe().model + " snapshot", std::to_string(state.size()) + " bytes",
                           "a device without state has none", "Restore it into the device it was taken from.");
}

SelfTest Device::self_test() { unsupported("self-test"); }

}  // namespace lightloop
