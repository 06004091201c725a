#include "driver/api/conformance.hpp"

#include <catch2/catch.hpp>

#include "devices/catalogue.hpp"

using namespace lightloop;

TEST_CASE("the OPU keeps the contract of a device in every preset, still or drifting") {
  const std::string settings = GENERATE("preset=none", "preset=ideal", "preset=lightonlike",
                                        "medium.drift_time=20 ms,laser.drift=0.05", "preset=ideal,medium.drift_time=1");
  Registry registry;
  add_devices(registry);
  const auto open = [&] { return registry.open("sim:opu,input.size=40,output.size=90," + settings); };
  for (const CheckResult& check : check_device(open)) {
    INFO(settings << ": " << check.name << ": " << check.detail);
    CHECK(check.outcome != CheckResult::Outcome::failed);
  }
}
