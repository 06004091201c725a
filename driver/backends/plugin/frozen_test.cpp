// Version 1 of the plugin interface is frozen: plugins are built elsewhere, and never again. New members come at the
// end of a table, with a higher minor number; what stands here does not change.
#include <lightloop/plugin.h>

#include <catch2/catch.hpp>
#include <type_traits>

namespace {
template <class T, class Expected>
constexpr bool is = std::is_same_v<T, Expected>;
using Status = lightloop_status;
using Buffer = lightloop_buffer;
using Setting = const lightloop_setting;
}  // namespace

#define AT(type, member, offset) CHECK(offsetof(type, member) == (offset))

TEST_CASE("plugin: the tables of version 1 lie in memory as they did") {
  static_assert(sizeof(void*) == 8, "the numbers below are those of 64 bits");
  CHECK(LIGHTLOOP_PLUGIN_MAJOR == 1);
  CHECK(sizeof(lightloop_buffer) == 24);
  AT(lightloop_buffer, data, 0);
  AT(lightloop_buffer, capacity, 8);
  AT(lightloop_buffer, need, 16);
  CHECK(sizeof(lightloop_setting) == 32);
  AT(lightloop_setting, name, 0);
  AT(lightloop_setting, text, 8);
  AT(lightloop_setting, real, 16);
  AT(lightloop_setting, integer, 24);
  CHECK(sizeof(lightloop_run) >= 80);
  AT(lightloop_run, struct_size, 0);
  AT(lightloop_run, transposed, 4);
  AT(lightloop_run, first_frame_id, 8);
  AT(lightloop_run, frames, 16);
  AT(lightloop_run, in_size, 24);
  AT(lightloop_run, out_size, 32);
  AT(lightloop_run, in, 40);
  AT(lightloop_run, aux, 48);
  AT(lightloop_run, out, 56);
  AT(lightloop_run, numbers, 64);
  AT(lightloop_run, deadline_ns, 72);
  CHECK(sizeof(lightloop_report) >= 32);
  AT(lightloop_report, struct_size, 0);
  AT(lightloop_report, reserved, 4);
  AT(lightloop_report, saturated, 8);
  AT(lightloop_report, device_s, 16);
  AT(lightloop_report, device_j, 24);
  CHECK(sizeof(lightloop_plugin) >= 144);
  AT(lightloop_plugin, struct_size, 0);
  AT(lightloop_plugin, major, 4);
  AT(lightloop_plugin, minor, 8);
  AT(lightloop_plugin, reserved, 12);
  AT(lightloop_plugin, models, 16);
  AT(lightloop_plugin, model, 24);
  AT(lightloop_plugin, parameters, 32);
  AT(lightloop_plugin, parameter, 40);
  AT(lightloop_plugin, open, 48);
  AT(lightloop_plugin, close, 56);
  AT(lightloop_plugin, describe, 64);
  AT(lightloop_plugin, run, 72);
  AT(lightloop_plugin, configure, 80);
  AT(lightloop_plugin, program, 88);
  AT(lightloop_plugin, reset, 96);
  AT(lightloop_plugin, snapshot, 104);
  AT(lightloop_plugin, restore, 112);
  AT(lightloop_plugin, self_test, 120);
  AT(lightloop_plugin, monitors, 128);
  AT(lightloop_plugin, extension, 136);
}

TEST_CASE("plugin: the functions of version 1 take and return what they did") {
  using Table = lightloop_plugin;
  CHECK(is<decltype(Table::models), std::uint32_t (*)()>);
  CHECK(is<decltype(Table::model), Status (*)(std::uint32_t, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::parameters), std::uint32_t (*)(const char*)>);
  CHECK(is<decltype(Table::parameter), Status (*)(const char*, std::uint32_t, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::open), Status (*)(const char*, Setting*, std::size_t, void**, Buffer*)>);
  CHECK(is<decltype(Table::close), void (*)(void*)>);
  CHECK(is<decltype(Table::describe), Status (*)(void*, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::run), Status (*)(void*, const lightloop_run*, lightloop_report*, Buffer*)>);
  CHECK(is<decltype(Table::configure), Status (*)(void*, Setting*, std::size_t, Buffer*)>);
  CHECK(is<decltype(Table::program), Status (*)(void*, const void*, std::int64_t, Buffer*)>);
  CHECK(is<decltype(Table::reset), Status (*)(void*, Buffer*)>);
  CHECK(is<decltype(Table::snapshot), Status (*)(void*, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::restore), Status (*)(void*, const void*, std::size_t, Buffer*)>);
  CHECK(is<decltype(Table::self_test), Status (*)(void*, std::int32_t*, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::monitors), Status (*)(void*, Buffer*, Buffer*)>);
  CHECK(is<decltype(Table::extension), const void* (*)(const char*)>);
  CHECK(is<decltype(lightloop_plugin_entry), const Table*(std::uint32_t, std::uint32_t)>);
  CHECK(std::string(LIGHTLOOP_PLUGIN_SYMBOL) == "lightloop_plugin_entry");
  CHECK(is<Status, std::int32_t>);
  const int statuses[] = {LIGHTLOOP_OK,           LIGHTLOOP_UNSUPPORTED, LIGHTLOOP_INVALID,
                          LIGHTLOOP_OUT_OF_RANGE, LIGHTLOOP_TIMEOUT,     LIGHTLOOP_LINK,
                          LIGHTLOOP_FRAMES,       LIGHTLOOP_BUSY,        LIGHTLOOP_FAULT};
  for (int i = 0; i < 9; ++i) CHECK(statuses[i] == i);
}
