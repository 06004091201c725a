#include "driver/recorder/call.hpp"

#include <algorithm>
#include <iterator>
#include <span>

#include "core/hash.hpp"
#include "driver/api/candidate.hpp"

namespace lightloop::recording {
namespace {

std::string many(const ConstFrames& frames) {
  return std::to_string(frames.count) + " frames of " + std::to_string(frames.size) + " codes of " +
         std::to_string(frames.bytes) + " byte";
}

std::string part(const Settings& note, const char* name) {
  const auto at = note.find(std::string("error.") + name);
  return at == note.end() ? std::string() : to_string(at->second);
}

struct Kind {
  const char* name;
  bool (*is)(const std::exception&);
  void (*raise)(const Settings&);
};
template <class E>
constexpr Kind kind(const char* name) {
  return {name, [](const std::exception& error) { return dynamic_cast<const E*>(&error) != nullptr; },
          [](const Settings& note) {
            throw E(part(note, "what"), part(note, "value"), part(note, "limit"), part(note, "hint"));
          }};
}
/// Those that are kinds of another one stand before it; whatever else was thrown comes back as the last.
constexpr Kind kKinds[] = {
    kind<OutOfRange>("OutOfRange"),
    kind<UnknownName>("UnknownName"),
    kind<ShapeMismatch>("ShapeMismatch"),
    kind<InvalidParameter>("InvalidParameter"),
    kind<Unsupported>("Unsupported"),
    kind<Refused>("Refused"),
    kind<Timeout>("Timeout"),
    kind<FrameError>("FrameError"),
    kind<LinkError>("LinkError"),
    kind<FileError>("FileError"),
    kind<WaitTimeout>("WaitTimeout"),
    kind<Busy>("Busy"),
    kind<Cancelled>("Cancelled"),
    kind<DeviceError>("DeviceError"),
    kind<NotAsked>("NotAsked"),
    kind<InternalError>("InternalError"),
    kind<Error>("Error"),
};
const Kind& anything_else() { return kKinds[std::size(kKinds) - 1]; }
}  // namespace

std::string asked_open(const Settings& settings) { return "open(" + format_settings(settings) + ")"; }

std::string asked_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options) {
  std::string text = "run of " + many(in) + " into " + many(out) + ", " +
                     (options.pass == Pass::forward ? "forward" : "transposed") + ", ids from " +
                     std::to_string(options.first_frame_id);
  if (in.aux.cols() > 0)
    text += ", with " + std::to_string(in.aux.rows()) + " x " + std::to_string(in.aux.cols()) + " auxiliary codes";
  if (options.numbers != nullptr) text += ", numbered";
  if (options.deadline && std::chrono::steady_clock::now() >= *options.deadline) text += ", too late";
  return text;
}

std::string asked_configure(const Settings& changes) { return "configure(" + format_settings(changes) + ")"; }

std::string asked_members(const std::vector<Settings>& members) {
  std::string text;
  for (const Settings& one : members) text += (text.empty() ? "members(" : "; ") + format_settings(one);
  return text + ")";
}

std::string asked_program(const ConstFrames& codes) { return "program " + many(codes); }

std::string asked_restore(const std::vector<std::byte>& state) {
  return "restore " + std::to_string(state.size()) + " bytes with SHA-256 " + sha256(state);
}

std::string digest(const ConstFrames& frames) {
  Sha256 hash;
  hash.add({static_cast<const std::byte*>(frames.data),
            static_cast<std::size_t>(frames.count * frames.size * frames.bytes)});
  for (Index r = 0; r < frames.aux.rows() && frames.aux.cols() > 0; ++r) hash.add(std::as_bytes(frames.aux.row(r)));
  return hash.hex();
}

bool can_keep(const DeviceInfo& opened, const ConstFrames& in, const ConstFrames& out, Pass pass) {
  const bool forward = pass == Pass::forward;
  const auto n_aux = static_cast<Index>(opened.aux_inputs.size());
  return in.count > 0 && in.count == out.count && in.size == (forward ? opened.input : opened.output).size() &&
         in.bytes == opened.input.bytes() && out.size == (forward ? opened.output : opened.input).size() &&
         out.bytes == opened.output.bytes() && (forward || opened.transposed) &&
         (in.aux.cols() == 0 || (in.aux.rows() == in.count && in.aux.cols() == n_aux));
}

bool can_keep(const DeviceInfo& opened, const ConstFrames& programme) {
  return opened.program && programme.count == 1 && programme.size == opened.program->size() &&
         programme.bytes == opened.program->bytes();
}

void put_error(const std::exception& error, Settings& note) {
  const auto found = std::ranges::find_if(kKinds, [&](const Kind& one) { return one.is(error); });
  note["error.kind"] = std::string(found == std::end(kKinds) ? anything_else().name : found->name);
  const auto* ours = dynamic_cast<const Error*>(&error);
  note["error.what"] = ours ? ours->subject() : std::string(error.what());
  if (!ours) return;
  note["error.value"] = ours->value();
  note["error.limit"] = ours->limit();
  note["error.hint"] = ours->hint();
}

void raise(const Settings& note) {
  const std::string name = part(note, "kind");
  const auto found = std::ranges::find_if(kKinds, [&](const Kind& one) { return one.name == name; });
  (found == std::end(kKinds) ? anything_else() : *found).raise(note);
  throw InternalError("recorded error", name);
}

}  // namespace lightloop::recording
