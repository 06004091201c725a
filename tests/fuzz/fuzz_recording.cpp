// A recording of whose contents nothing can be relied upon: attributes, event tables, frames and notes are taken from
// the input, inside a sound HDF5 file (a damaged container is libhdf5's own business: docs/file_formats.md). Opened as
// a replay and used, it may only throw a lightloop::Error.
#include <vector>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "driver/api/description.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/api/registry.hpp"
#include "driver/backends/replay/replay.hpp"
#include "driver/recorder/format.hpp"
#include "tests/fuzz/script.hpp"

namespace lightloop {
namespace {
fuzz::Script script;

Settings attributes() {
  const test::FakeDevice device({});
  Settings all = {{"kind", std::string(recording::kKind)},
                  {"format_version", std::int64_t{recording::kVersion}},
                  {"device", std::string("sim:fake")}};
  for (const auto& [key, value] : to_settings(device.describe())) all["info." + key] = value;
  for (const auto& [key, value] : recording::to_settings(device.settings())) all["settings." + key] = value;
  std::vector<std::string> keys;
  for (const auto& [key, value] : all) keys.push_back(key);
  for (int changes = script.byte() % 8; changes > 0; --changes) {
    const std::string& key = keys[script.byte() % keys.size()];
    if (script.byte() % 4 == 0)
      all.erase(key);
    else
      all[key] = script.value();
  }
  return all;
}

template <class T>
void dataset(h5::Writer& file, const std::string& path, Index rows, Index width) {
  if (script.byte() == 255) return;  // left out
  if (script.byte() == 255) ++width;
  std::vector<T> values(static_cast<std::size_t>(rows * width));
  for (T& value : values) {
    const std::uint8_t small = script.byte();
    value = small < 240 ? static_cast<T>(small % 16) : script.number<T>();
  }
  file.write(path, std::span<const T>(values), width == 1 ? std::vector<Index>{rows} : std::vector<Index>{rows, width},
             "1");
}

void write(const std::string& path) {
  h5::Writer file(path);
  for (const auto& [key, value] : attributes()) file.attribute("/", key, value);
  const Index events = script.byte() % 8, frames = script.byte() % 16;
  dataset<std::uint8_t>(file, "/events/kind", events, 1);
  for (const char* name : recording::kEventNumbers)
    script.byte() == 255 ? dataset<double>(file, std::string("/events/") + name, events, 1)
                         : dataset<std::int64_t>(file, std::string("/events/") + name, events, 1);
  for (const auto& cost : recording::kEventCosts) dataset<double>(file, std::string("/events/") + cost.name, events, 1);
  dataset<std::uint8_t>(file, "/frames/input", frames, 6);
  dataset<std::uint16_t>(file, "/frames/output", frames, 6);
  dataset<std::uint16_t>(file, "/frames/aux", frames, 1);
  dataset<std::uint8_t>(file, "/programmes/codes", script.byte() % 3, 24);
  std::string note = script.text();
  note.resize(std::max<std::size_t>(64, (note.size() + 63) / 64 * 64), ' ');
  file.write("/notes/text", std::span(reinterpret_cast<const std::uint8_t*>(note.data()), note.size()),
             {static_cast<Index>(note.size() / 64), 64}, "1");
  file.commit();
}

void use(Device& device) {
  const DeviceInfo info = device.describe();
  if (info.input.size() > 4096 || info.output.size() > 4096) return;
  for (int calls = 0; calls < 4; ++calls) {
    FrameBuffer in(info.input, script.byte() % 4), out(info.output, in.frames().count);
    RunOptions options;
    options.first_frame_id = script.byte();
    fuzz::attempt([&] { device.run(in.frames(), out.frames(), options); });
    fuzz::attempt([&] { device.configure({{"gain", 1.0 + script.byte() % 4}}); });
    if (info.program && info.program->size() <= 4096) {
      FrameBuffer codes(*info.program, 1);
      fuzz::attempt([&] { device.program(codes.frames()); });
    }
    fuzz::attempt([&] { device.reset(); });
    fuzz::attempt([&] {
      auto state = device.snapshot();
      for (auto& one : state) one ^= std::byte{script.byte()};
      device.restore(state);
    });
  }
  fuzz::attempt([&] { device.self_test(); });
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop;
  static const std::string path = fuzz::scratch_file(".h5");
  script = fuzz::Script(data, size);
  fuzz::attempt([&] {
    write(path);
    Registry registry;
    registry.add_backend("replay", replay::backend());
    const auto device = registry.open("replay:" + path);
    use(*device);
  });
  return 0;
}
