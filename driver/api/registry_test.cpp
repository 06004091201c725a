#include "driver/api/registry.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "driver/api/candidate.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/api/opening.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;

DeviceModel fake_model(ParamSet* seen = nullptr) {
  DeviceModel model;
  model.name = "fake";
  model.kind = "layer";
  model.params = {
      {.name = "seed", .unit = "1", .default_value = std::int64_t{1}, .help = "key"},
      {.name = "camera.bits", .unit = "1", .default_value = std::int64_t{8}, .min = 1, .max = 16, .help = "h"},
      {.name = "note", .unit = "", .default_value = std::string(), .help = "free text"}};
  model.presets = {{"fine", {{"camera.bits", std::int64_t{12}}}}};
  model.open = [seen](const ParamSet& params) {
    if (seen) *seen = params;
    return std::make_unique<test::FakeDevice>(test::FakeOptions{});
  };
  return model;
}

struct TemporaryFile {
  explicit TemporaryFile(const std::string& text)
      : path((std::filesystem::temp_directory_path() /
              ("lightloop-registry-test-" + std::to_string(counter++) + ".toml"))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  static inline int counter = 0;
  std::string path;
};
}  // namespace

TEST_CASE("a device string is taken apart into backend, target and settings") {
  const DeviceAddress plain = parse_address("sim:opu");
  CHECK(plain.backend == "sim");
  CHECK(plain.target == "opu");
  CHECK(plain.settings.empty());
  const DeviceAddress full = parse_address("sim:opu,seed=7,camera.bits=8,note='a, b'");
  CHECK(full.target == "opu");
  CHECK(full.settings.size() == 3);
  CHECK(std::get<std::string>(full.settings.at("note")) == "a, b");
  CHECK(parse_address("remote:host:9000/opu0").target == "host:9000/opu0");
}

TEST_CASE("settings behind an @ belong to the device inside") {
  const DeviceAddress fault = parse_address("fault:script.toml@sim:opu,seed=7");
  CHECK(fault.backend == "fault");
  CHECK(fault.target == "script.toml@sim:opu,seed=7");
  CHECK(fault.settings.empty());
  CHECK(parse_address("sim:fake,note=me@home").settings.size() == 1);
}

TEST_CASE("an address survives being written and read again") {
  DeviceAddress address{"sim", "opu", {}};
  address.settings = {{"note", std::string("it's 3, \"not\" 4")},
                      {"word", std::string("word")},
                      {"number", std::string("12")},
                      {"seed", std::int64_t{12}},
                      {"rate", 0.1},
                      {"on", true},
                      {"path", std::string("a/b.h5")},
                      {"gap", std::string("two words")}};
  const DeviceAddress again = parse_address(to_string(address));
  CHECK(again.settings == address.settings);
}

TEST_CASE("strings that name no device are refused with an example") {
  for (const char* wrong : {"", "opu", ":opu", "sim:", "sim:,seed=1", "a,b:c"})
    CHECK_THROWS_AS(parse_address(wrong), InvalidParameter);
  CHECK_THROWS_WITH(parse_address("opu"), Contains("sim:"));
  CHECK_THROWS_WITH(parse_address("sim:a,seed=1,remote:b:1/c"), Contains("these are 2"));
}

TEST_CASE("a device file gives address and settings in either form") {
  const TemporaryFile flat("device = \"sim:fake,seed=1\"\n[settings]\nseed = 7\ncamera.bits = 12\n");
  const TemporaryFile table("[device]\naddress = \"sim:fake\"\nseed = 7\ncamera.bits = 12\n");
  for (const std::string& path : {flat.path, table.path}) {
    const DeviceAddress address = parse_address(path);
    CHECK(address.target == "fake");
    CHECK(std::get<std::int64_t>(address.settings.at("seed")) == 7);
    CHECK(std::get<std::int64_t>(address.settings.at("camera.bits")) == 12);
  }
  CHECK_THROWS_AS(parse_address(TemporaryFile("seed = 7\n").path), FileError);
  CHECK_THROWS_AS(parse_address(TemporaryFile("device = \"other.toml\"\n").path), FileError);
  CHECK_THROWS_AS(parse_address(TemporaryFile("device = \"sim:fake\"\nseeed = 7\n").path), UnknownName);
  CHECK_THROWS_AS(parse_address("missing.toml"), FileError);
}

TEST_CASE("presets come first, then the string, then the caller") {
  ParamSet seen;
  Registry registry;
  registry.add(fake_model(&seen));
  registry.open("sim:fake,preset=fine,seed=3", {{"seed", std::int64_t{4}}});
  CHECK(seen.integer("camera.bits") == 12);
  CHECK(seen.integer("seed") == 4);
  CHECK(seen.text("preset") == "fine");
  registry.open("sim:fake,preset=fine,camera.bits=10");
  CHECK(seen.integer("camera.bits") == 10);
  registry.open("sim:fake");
  CHECK(seen.integer("camera.bits") == 8);
  CHECK_THROWS_AS(registry.open("sim:fake,preset=rough"), InvalidParameter);
  CHECK_THROWS_AS(registry.open("sim:fake,camera.bits=17"), OutOfRange);
}

TEST_CASE("unknown models and backends are refused with what is known") {
  Registry registry;
  registry.add(fake_model());
  CHECK_THROWS_WITH(registry.open("sim:fakee"), Contains("fake"));
  CHECK_THROWS_AS(registry.open("sim:fakee"), UnknownName);
  CHECK_THROWS_WITH(registry.open("bench:x"), Contains("sim"));
  CHECK_THROWS_AS(registry.open("bench:x"), UnknownName);
  CHECK_THROWS_AS(registry.twin("sim:fake"), Unsupported);
  CHECK_THROWS_AS(registry.twin("bench:x"), UnknownName);
  registry.add_backend("mine", [](const DeviceAddress&, const Registry&) { return std::unique_ptr<Device>(); });
  CHECK_THROWS_AS(registry.twin("mine:x"), Unsupported);
}

TEST_CASE("what may be chosen at opening is what the device string leaves open") {
  Registry registry;
  registry.add(fake_model());
  const auto names = [&](const std::string& address) {
    std::vector<std::string> all;
    for (const ParamInfo& info : registry.open_params(address)) all.push_back(info.name);
    return all;
  };
  CHECK(names("sim:fake") == std::vector<std::string>{"seed", "camera.bits", "note"});
  CHECK(names("sim:fake,seed=3") == std::vector<std::string>{"camera.bits", "note"});
  Backend mine = [](const DeviceAddress&, const Registry&) { return std::unique_ptr<Device>(); };
  registry.add_backend("blind", mine);
  mine.params = [](const DeviceAddress& address, const Registry& all) {
    return all.open_params("sim:" + address.target);
  };
  registry.add_backend("mine", std::move(mine));
  CHECK(names("mine:fake,note=x") == std::vector<std::string>{"seed", "camera.bits"});
  CHECK(names("blind:fake").empty());
  CHECK(takes_seed(registry, "mine:fake,note=x"));
  CHECK_FALSE(takes_seed(registry, "sim:fake,seed=3"));
  CHECK_FALSE(takes_seed(registry, "blind:fake"));
  CHECK_THROWS_AS(names("sim:fakee"), UnknownName);
}

TEST_CASE("names are taken once and presets must be valid") {
  Registry registry;
  registry.add(fake_model());
  CHECK_THROWS_AS(registry.add(fake_model()), InvalidParameter);
  DeviceModel wrong = fake_model();
  wrong.name = "wrong";
  wrong.presets["bad"] = {{"camera.bits", std::int64_t{99}}};
  CHECK_THROWS_AS(registry.add(wrong), InvalidParameter);
  CHECK(registry.models().size() == 1);
  CHECK_THROWS_AS(registry.add_backend("sim", registry.backend("sim")), InvalidParameter);
  registry.add_backend("mine", [](const DeviceAddress& address, const Registry&) {
    CHECK(address.target == "thing");
    return std::make_unique<test::FakeDevice>(test::FakeOptions{});
  });
  CHECK(registry.open("mine:thing")->describe().model == "fake");
  CHECK(registry.backends() == std::vector<std::string>{"mine", "sim"});
}

TEST_CASE("a backend that gives no device is named, and a candidate outlives the registry it came from") {
  std::unique_ptr<Candidate> candidate;
  {
    Registry registry;
    registry.add(fake_model());
    registry.add_backend("none", [](const DeviceAddress&, const Registry&) { return std::unique_ptr<Device>(); });
    CHECK_THROWS_WITH(registry.open("none:thing"), Contains("none:thing") && Contains("no device"));
    CHECK_THROWS_AS(registry.candidate("none:thing"), DeviceError);
    candidate = registry.candidate("sim:fake");
  }
  CHECK(candidate->open({{"camera.bits", std::int64_t{9}}})->describe().model == "fake");
}

}  // namespace lightloop
