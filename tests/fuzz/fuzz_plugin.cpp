// A plugin that answers at random: every function of its table takes its status, the length it claims and what it
// writes from the input. Whatever it does within the C interface, only a lightloop::Error may come out of the host.
#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "driver/api/session.hpp"
#include "driver/backends/plugin/library.hpp"
#include "tests/fuzz/script.hpp"

namespace lightloop {
namespace {

fuzz::Script script;

lightloop_status answer(lightloop_buffer* out) {
  const std::uint8_t how = script.byte();
  if (how < 200) {  // mostly what it should be: text, or bytes
    lightloop_put_text(out, script.text().c_str());
    return LIGHTLOOP_OK;
  }
  out->need = how < 220 ? static_cast<std::size_t>(-1) : how < 240 ? std::size_t{1} << 20 : 5;
  if (how % 2) out->data = nullptr;
  return how % 16;
}
lightloop_status status(lightloop_buffer* error) {
  const std::uint8_t how = script.byte();
  if (how < 224) return LIGHTLOOP_OK;
  answer(error);
  return how % 16;
}
int handle;

lightloop_plugin table() {
  lightloop_plugin t = {};
  t.struct_size = sizeof t;
  t.major = LIGHTLOOP_PLUGIN_MAJOR;
  t.models = [] { return std::uint32_t{script.byte()} % 4; };
  t.model = [](std::uint32_t, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  t.parameters = [](const char*) { return std::uint32_t{script.byte()} % 4; };
  t.parameter = [](const char*, std::uint32_t, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  t.open = [](const char*, const lightloop_setting*, std::size_t, void** device, lightloop_buffer* error) {
    *device = script.byte() == 1 ? nullptr : &handle;
    return status(error);
  };
  t.close = [](void*) {};
  t.describe = [](void*, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  t.run = [](void*, const lightloop_run* run, lightloop_report* report, lightloop_buffer* error) {
    if (run->frames > 0 && run->out_size > 0) std::memset(run->out, script.byte(), 1);
    if (script.byte() > 200) {
      const std::string raw = script.text();
      std::memcpy(report, raw.data(), std::min(raw.size(), sizeof *report));
    }
    return status(error);
  };
  t.configure = [](void*, const lightloop_setting*, std::size_t, lightloop_buffer* error) { return status(error); };
  t.program = [](void*, const void*, std::int64_t, lightloop_buffer* error) { return status(error); };
  t.reset = [](void*, lightloop_buffer* error) { return status(error); };
  t.snapshot = [](void*, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  t.restore = [](void*, const void*, std::size_t, lightloop_buffer* error) { return status(error); };
  t.self_test = [](void*, std::int32_t*, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  t.monitors = [](void*, lightloop_buffer* out, lightloop_buffer*) { return answer(out); };
  return t;
}

void use(Device& device) {
  const DeviceInfo info = device.describe();
  if (info.input.size() > 4096 || info.output.size() > 4096) return;
  FrameBuffer in(info.input, 2), out(info.output, 2);
  for (int i = 0; i < 2; ++i) fuzz::attempt([&] { device.run(in.frames().slice(0, 1), out.frames().slice(0, 1)); });
  for (const ParamInfo& param : device.settings().infos())
    fuzz::attempt([&] { device.configure({{param.name, param.max}}); });
  if (info.program && info.program->size() <= 4096) {
    FrameBuffer codes(*info.program, 1);
    fuzz::attempt([&] { device.program(codes.frames()); });
  }
  fuzz::attempt([&] { device.monitors(); });
  fuzz::attempt([&] { device.self_test(); });
  fuzz::attempt([&] { device.restore(device.snapshot()); });
  fuzz::attempt([&] { device.reset(); });
  device.close();
  fuzz::attempt([&] { device.run(in.frames(), out.frames()); });
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop;
  script = fuzz::Script(data, size);
  lightloop_plugin hostile = table();
  const std::uint8_t header = script.byte();
  if (header == 255) hostile.struct_size = script.byte() * 256u + script.byte();
  if (header == 254) hostile.major = script.byte();
  fuzz::attempt([&] {
    for (const plugin_host::Model& model : plugin_host::models_of(&hostile, "fuzz.so"))
      fuzz::attempt([&] { use(*plugin_host::open_model(model, {})); });
  });
  return 0;
}
