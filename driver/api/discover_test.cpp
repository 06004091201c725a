#include "driver/api/discover.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"

namespace lightloop {
namespace {
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

Backend fake() {
  return [](const DeviceAddress& address, const Registry&) -> std::unique_ptr<Device> {
    if (address.target == "broken") throw LinkError("fake:broken", "no cable");
    return std::make_unique<test::FakeDevice>(test::FakeOptions{}, address.settings);
  };
}

template <class Look>
Backend looking(Look look) {
  Backend backend = fake();
  backend.discover = std::move(look);
  return backend;
}

const Found* entry(const std::vector<Found>& all, const std::string& address) {
  for (const Found& found : all)
    if (found.address == address) return &found;
  return nullptr;
}
}  // namespace

TEST_CASE("discover: what is found, what fails and what does not answer are all listed, in parallel") {
  const auto freed = std::make_shared<std::promise<void>>();
  const std::shared_future<void> gate = freed->get_future().share();
  Registry registry;
  registry.add_backend("quick", looking([](auto) { return std::vector<Found>{{"quick:a", "one", ""}}; }));
  const auto together = std::make_shared<std::latch>(2);  // one after the other would never end
  registry.add_backend("slow", looking([together](auto) {
                         together->arrive_and_wait();
                         return std::vector<Found>{{"slow:b", "two", ""}};
                       }));
  registry.add_backend("slower", looking([together](auto) {
                         together->arrive_and_wait();
                         return std::vector<Found>{};
                       }));
  registry.add_backend("throws", looking([](auto) -> std::vector<Found> { throw LinkError("bus", "is dead"); }));
  registry.add_backend("hangs", looking([gate](auto) {
                         gate.wait();
                         return std::vector<Found>{};
                       }));
  registry.add_backend("mute", fake());
  const std::vector<Found> listed = {{"mute:x", "lab", ""}, {"mute:broken", "", ""}, {"nothing:x", "", ""}};
  const auto all = discover(registry, listed, 1000ms);
  freed->set_value();
  REQUIRE(all.size() == 7);
  CHECK(entry(all, "quick:a")->problem.empty());
  CHECK(entry(all, "slow:b")->summary == "two");
  CHECK_THAT(entry(all, "throws:")->problem, Contains("bus: is dead"));
  CHECK_THAT(entry(all, "hangs:")->problem, Contains("no answer within 1000 ms"));
  CHECK_THAT(entry(all, "mute:x")->summary, Contains("lab: layer, fake") && Contains("6 inputs"));
  CHECK_THAT(entry(all, "mute:broken")->problem, Contains("no cable"));
  CHECK_THAT(entry(all, "nothing:x")->problem, Contains("nothing") && Contains("known"));
}

TEST_CASE("discover: the list of configured devices is a TOML file, and a bad one is an entry, not an end") {
  const auto path = std::filesystem::temp_directory_path() / ("devices_" + std::to_string(::getpid()) + ".toml");
  const auto with = [&](const std::string& text) {
    std::ofstream(path) << text;
    ::setenv("LIGHTLOOP_DEVICES", path.c_str(), 1);
    auto all = configured_devices();
    ::unsetenv("LIGHTLOOP_DEVICES");
    std::filesystem::remove(path);
    return all;
  };
  CHECK(configured_devices().empty());
  const auto two = with("[devices]\nlab = \"remote:lab:1/opu0,x=1\"\nbench = \"python:b.py:B\"\n");
  REQUIRE(two.size() == 2);
  CHECK(entry(two, "remote:lab:1/opu0,x=1")->summary == "lab");
  CHECK_THAT(with("[devices\n").at(0).problem, Contains("devices_"));
  CHECK_THAT(with("lab = \"sim:opu\"\n").at(0).problem, Contains("table [devices]"));
  ::setenv("LIGHTLOOP_DEVICES", "/nowhere/at/all.toml", 1);
  CHECK_THAT(configured_devices().at(0).problem, Contains("/nowhere/at/all.toml"));
  ::unsetenv("LIGHTLOOP_DEVICES");
}

}  // namespace lightloop
