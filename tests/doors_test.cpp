// What stands between a program and a device changes nothing.
#include <catch2/catch.hpp>

#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "driver/api/description.hpp"
#include "tests/use_device_for_tests.hpp"

using namespace lightloop;

TEST_CASE("behind fault: with an empty script every device of the catalogue gives the same bits at the same cost") {
  const test::TemporaryFolder folder;
  const std::string script = folder / "empty.toml";
  write_file(script, "");
  const Registry registry = test::all_devices();
  for (const DeviceModel& model : registry.models()) {
    INFO(model.name);
    const auto bare = open_session(registry, "sim:" + model.name);
    const auto wrapped = open_session(registry, "fault:" + script + "@sim:" + model.name);
    CHECK(test::use(*wrapped) == test::use(*bare));
    const Meter one = wrapped->meter(), other = bare->meter();
    CHECK(one.frames == other.frames);
    CHECK(one.codes == other.codes);
    CHECK(one.saturated == other.saturated);
    CHECK(one.device_s == other.device_s);
    CHECK(one.device_j == other.device_j);
    CHECK(one.retries + one.losses == 0);
    Settings said = to_settings(wrapped->info()), expected = to_settings(bare->info());
    said.erase("pairing");  // the wrapper numbers its exposures
    expected.erase("pairing");
    CHECK(said == expected);
  }
}
