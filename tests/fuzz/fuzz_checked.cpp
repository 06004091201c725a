// A recording of the conformance suite: its calls, their notes and the memories that devices gave are taken from the
// input, frames and description are sound (fuzz_recording changes those). Asked again, call by call, it may only throw
// a lightloop::Error.
#include <vector>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "driver/api/description.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/backends/replay/checked.hpp"
#include "driver/recorder/call.hpp"
#include "driver/recorder/format.hpp"
#include "tests/fuzz/script.hpp"

namespace lightloop {
namespace {
using recording::Call;
using recording::CallKind;
using recording::kNoteBytes;

fuzz::Script script;
constexpr Index kFrames = 4;

/// A call as it is asked again; what the recording says of it may be something else.
struct Asked {
  CallKind kind;
  std::uint8_t detail;
};

FrameBuffer frames(const FrameFormat& format, const Asked& one) { return FrameBuffer(format, one.detail % 4); }
RunOptions options(const Asked& one) { return {.first_frame_id = one.detail}; }
Settings changes(const Asked& one) { return {{"gain", 1.0 + one.detail % 4}}; }
std::vector<std::byte> memory(const Asked& one) { return {std::byte{one.detail}}; }

std::string words(const DeviceInfo& info, const Asked& one) {
  FrameBuffer in = frames(info.input, one), out = frames(info.output, one), codes(*info.program, 1);
  switch (one.kind) {
    case CallKind::claim:
      return "claim";
    case CallKind::open:
      return recording::asked_open({});
    case CallKind::run:
    case CallKind::run_members:
      return recording::asked_run(std::as_const(in).frames(), std::as_const(out).frames(), options(one));
    case CallKind::configure:
      return recording::asked_configure(changes(one));
    case CallKind::program:
      return recording::asked_program(std::as_const(codes).frames());
    case CallKind::restore:
      return recording::asked_restore(memory(one));
    case CallKind::members:
      return recording::asked_members({changes(one)});
    case CallKind::reset:
      return "reset";
    case CallKind::snapshot:
      return "snapshot";
    case CallKind::self_test:
      return "self-test";
    case CallKind::monitors:
      return "monitors";
    case CallKind::close:
      return "close";
  }
  return "";
}

void ask(Device& device, const Asked& one) {
  const DeviceInfo info = device.describe();
  if (info.input.size() > 4096 || info.output.size() > 4096) return;
  FrameBuffer in = frames(info.input, one), out = frames(info.output, one);
  const auto shown = std::as_const(in).frames();
  switch (one.kind) {
    case CallKind::run:
      device.run(shown, out.frames(), options(one));
      return;
    case CallKind::run_members:
      if (device.ensemble() != nullptr) device.ensemble()->run_members(shown, out.frames(), options(one));
      return;
    case CallKind::configure:
      return device.configure(changes(one));
    case CallKind::program:
      if (info.program && info.program->size() <= 4096)
        device.program(std::as_const(in = FrameBuffer(*info.program, 1)).frames());
      return;
    case CallKind::restore:
      return device.restore(memory(one));
    case CallKind::members:
      if (device.ensemble() != nullptr) device.ensemble()->configure_members({changes(one)});
      return;
    case CallKind::reset:
      return device.reset();
    case CallKind::snapshot:
      device.snapshot();
      return;
    case CallKind::self_test:
      device.self_test();
      return;
    case CallKind::monitors:
      device.monitors();
      return;
    default:
      return device.close();
  }
}

/// Notes and memories, and where they lie.
struct Notes {
  std::string text;
  Index put(const std::string& one) {
    const auto row = static_cast<Index>(text.size()) / kNoteBytes;
    text += one;
    text.resize((text.size() + kNoteBytes - 1) / kNoteBytes * kNoteBytes, '\0');
    return row;
  }
};

template <class T>
void dataset(h5::Writer& file, const std::string& path, const std::vector<T>& values, Index width) {
  const Index rows = static_cast<Index>(values.size()) / width;
  file.write(path, std::span<const T>(values), width == 1 ? std::vector<Index>{rows} : std::vector<Index>{rows, width},
             "1");
}

/// A tape of one claim on one device, and what to ask of it.
std::vector<Asked> write(const std::string& path) {
  const test::FakeDevice device({});
  const DeviceInfo& info = device.describe();
  h5::Writer file(path);
  for (const auto& [key, value] : Settings{{"kind", std::string(recording::kKind)},
                                           {"format_version", std::int64_t{recording::kVersion}},
                                           {"format_minor", std::int64_t{recording::kMinorVersion}},
                                           {"device", std::string("sim:fake")}})
    file.attribute("/", key, value);
  for (const auto& [key, value] : to_settings(info)) file.attribute("/", "info." + key, value);
  for (const auto& [key, value] : recording::to_settings(device.settings()))
    file.attribute("/", "settings." + key, value);
  dataset<std::uint8_t>(file, "/events/kind", {}, 1);
  for (const char* name : {"first", "count", "first_frame_id", "pass", "generation", "codes", "saturated"})
    dataset<std::int64_t>(file, std::string("/events/") + name, {}, 1);
  for (const char* name : {"device_s", "device_j", "unix_time"})
    dataset<double>(file, std::string("/events/") + name, {}, 1);
  dataset(file, "/frames/input", std::vector<std::uint8_t>(kFrames * 6), 6);
  dataset(file, "/frames/output", std::vector<std::uint16_t>(kFrames * 6), 6);
  dataset(file, "/frames/aux", std::vector<std::uint16_t>(kFrames), 1);
  dataset(file, "/programmes/codes", std::vector<std::uint8_t>(24), 24);

  std::vector<Asked> all = {{CallKind::claim, 0}, {CallKind::open, 0}};
  for (int more = script.byte() % 8; more > 0; --more)
    all.push_back({static_cast<CallKind>(script.byte() % (static_cast<int>(CallKind::last) + 1)), script.byte()});
  Notes notes;
  std::vector<std::uint8_t> kinds;
  std::vector<std::int64_t> numbers[std::size(recording::kCallNumbers)];
  std::vector<double> costs[2];
  for (const Asked& one : all) {
    kinds.push_back(static_cast<std::uint8_t>(one.kind));
    std::string note = format_settings({{"asked", words(info, one)}});
    if (script.byte() % 2 == 1) note += "," + script.text();
    if (script.byte() == 255) note = script.text();
    const std::string state = one.kind == CallKind::snapshot ? script.text() : "";
    const std::int64_t sound[] = {0,
                                  0,
                                  script.byte() % 2 == 1 ? one.detail % 4 : 0,
                                  one.detail,
                                  0,
                                  one.detail % 4,
                                  0,
                                  0,
                                  notes.put(note),
                                  static_cast<std::int64_t>(note.size()),
                                  notes.put(state),
                                  static_cast<std::int64_t>(state.size())};
    for (std::size_t i = 0; i < std::size(sound); ++i)
      numbers[i].push_back(script.byte() >= 250 ? script.number<std::int64_t>() : sound[i]);
    for (auto& cost : costs) cost.push_back(script.byte() >= 250 ? script.number<double>() : 0);
  }
  dataset(file, "/calls/kind", kinds, 1);
  for (std::size_t i = 0; i < std::size(numbers); ++i)
    dataset(file, std::string("/calls/") + recording::kCallNumbers[i], numbers[i], 1);
  dataset(file, "/calls/device_s", costs[0], 1);
  dataset(file, "/calls/device_j", costs[1], 1);
  file.write("/notes/text", std::span(reinterpret_cast<const std::uint8_t*>(notes.text.data()), notes.text.size()),
             {static_cast<Index>(notes.text.size()) / kNoteBytes, kNoteBytes}, "1");
  file.commit();
  return all;
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop;
  static const std::string path = fuzz::scratch_file(".h5");
  script = fuzz::Script(data, size);
  fuzz::attempt([&] {
    const std::vector<Asked> all = write(path);
    const auto candidate = replay::candidate(path, {});
    candidate->begin("claim");
    const auto device = candidate->open({});
    for (std::size_t i = 2; i < all.size(); ++i) fuzz::attempt([&] { ask(*device, all[i]); });
    candidate->end();
  });
  return 0;
}
