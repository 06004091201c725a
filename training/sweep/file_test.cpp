#include "training/sweep/file.hpp"

#include <catch2/catch.hpp>

#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "driver/api/registry.hpp"

using namespace lightloop;
using lightloop::test::TemporaryFolder;

TEST_CASE("sweep file: [settings] reach the device as they are written, whatever is in them") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.toml";
  write_file(path, R"(
device = "sim:opu,input.size=8"
measure = "kernel_rank"
[settings]
camera.exposure = "400 us"
camera.bits = 8
laser.on = true
medium.gain = 1e-5
medium.file = "/data/M\u00fcller \U0001F600/it's \"a\\b\", c=1.h5"
[over]
"device.camera.bits" = [4]
)");
  const std::string device = sweeps::read_sweep(path).sweep.device;
  const Settings settings = parse_address(device).settings;
  CHECK(settings.at("medium.file") == Value("/data/M\u00fcller \U0001F600/it's \"a\\b\", c=1.h5"));
  CHECK(settings.at("camera.exposure") == Value("400 us"));
  CHECK(settings.at("camera.bits") == Value(std::int64_t{8}));
  CHECK(settings.at("medium.gain") == Value(1e-5));
  CHECK(settings.at("laser.on") == Value(true));
  // the device string is a part of every point's key: plain values stand in it as they always have
  const std::string plain = R"(,camera.exposure="400 us",camera.bits=8,laser.on=true,medium.gain=1e-05,)";
  CHECK(device.starts_with("sim:opu,input.size=8" + plain));
}
