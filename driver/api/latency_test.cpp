#include "driver/api/latency.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "driver/api/description.hpp"

namespace lightloop {

TEST_CASE("the latency of a device is that of its parts, or its frame time where it does not say") {
  CostModel cost{.frame_s = 1e-3};
  cost.parts = {{"dac", 8, 0, 0, 0, 1e-10}, {"hold", 8, 0, 0, 0}, {"adc", 8, 0, 0, 0, 9e-10}};
  const std::vector<LatencyPart> parts = latency_of(cost);
  REQUIRE(parts.size() == 2);
  CHECK(parts[1].name == "adc");
  CHECK(seconds(parts) == Approx(1e-9));
  cost.parts.clear();
  CHECK(seconds(latency_of(cost)) == 1e-3);
  CHECK(latency_of(CostModel{}).empty());
}

TEST_CASE("what a row meets one after the other adds up by component") {
  std::vector<LatencyPart> sum = {{"dac", 1.0}};
  add(sum, {{"adc", 2.0}, {"dac", 3.0}}, 2);
  REQUIRE(sum.size() == 2);
  CHECK(sum[0].seconds == 7);
  CHECK(sum[1].seconds == 4);
}

TEST_CASE("a latency goes through flat settings, a negative one is refused") {
  DeviceInfo info;
  info.kind = "layer";
  info.model = "test";
  info.input = info.output = {{4}, 8, "code"};
  info.cost.parts = {{"path", 0, 0, 0, 0, 3e-12}};
  CHECK(info_from(to_settings(info), "test").cost.parts[0].latency_s == 3e-12);
  info.cost.parts[0].latency_s = -1;
  CHECK_THROWS_AS(check_info(info, "test"), InvalidParameter);
}

}  // namespace lightloop
