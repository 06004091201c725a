#include "core/param.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/error.hpp"
#include "core/only_with.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

namespace {
ParamSet example() {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  return ParamSet("sim:opu", {{"camera.bits", "1", std::int64_t{8}, 1, 16, "Bits of the camera's converter"},
                              {"camera.exposure_s", "s", 1e-4, 1e-6, 1, "Exposure time"},
                              {"laser.power_w", "W", 1e-3, 0, kInf, "Power on the modulator"},
                              {"laser.on", "", true, 0, 0, "Light"},
                              {"medium.kind", "", "dense", 0, 0, "Medium", {"dense", "fast"}},
                              {"label", "", "", 0, 0, "Any text"},
                              {"offset", "V", 0.0, 0, 0, "Unbounded"},
                              {"seed", "1", std::int64_t{0}, 0, 9.3e18, "Seed"}});
}
}  // namespace

TEST_CASE("param: a new set holds every default") {
  const auto p = example();
  CHECK(p.integer("camera.bits") == 8);
  CHECK(p.real("camera.bits") == 8.0);
  CHECK(p.real("camera.exposure_s") == 1e-4);
  CHECK(p.boolean("laser.on"));
  CHECK(p.text("medium.kind") == "dense");
  CHECK(p.is_default("offset"));
  CHECK(p.has("label"));
  CHECK_FALSE(p.has("bits"));
  CHECK(p.all().size() == p.infos().size());
}

TEST_CASE("param: values come as numbers, as text with a unit, or under a key with a unit") {
  auto p = example();
  p.set({{"camera.exposure_s", "400 us"}, {"laser.power_w", "3 dBm"}, {"camera.bits", 10.0}, {"laser.on", "off"}});
  CHECK(p.real("camera.exposure_s") == Approx(4e-4));
  CHECK(p.real("laser.power_w") == Approx(1.9952623e-3));
  CHECK(p.integer("camera.bits") == 10);
  CHECK_FALSE(p.boolean("laser.on"));
  p.set({{"camera.exposure_s[ms]", 2.0}, {"laser.power_w[dBm]", std::int64_t{0}}, {"camera.bits", "12"}});
  CHECK(p.real("camera.exposure_s") == Approx(2e-3));
  CHECK(p.real("laser.power_w") == Approx(1e-3));
  CHECK(p.integer("camera.bits") == 12);
  p.set({{"camera.exposure_s[us]", "7"}, {"offset", std::int64_t{-4}}});
  CHECK(p.real("camera.exposure_s") == Approx(7e-6));
  CHECK(p.real("offset") == -4.0);
  CHECK_FALSE(p.is_default("offset"));
  p.set({{"seed", std::int64_t{9007199254740993}}});  // 2^53 + 1 is not a double
  CHECK(p.integer("seed") == 9007199254740993);
}

TEST_CASE("param: what does not fit is refused with name, value, limit and remedy") {
  struct Row {
    const char* key;
    Value value;
    std::vector<std::string> says;
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  const Row rows[] = {
      {"camera.bits", std::int64_t{20}, {"sim:opu: camera.bits: 20", "allowed 1 to 16", "Bits of the camera"}},
      {"camera.bits", 8.5, {"8.5", "whole number"}},
      {"camera.bits", true, {"is a switch", "expected a whole number"}},
      {"camera.bits", "8 mA", {"measures something else"}},
      {"camera.exposure_s", "2 s", {"2 s", "allowed 1 us to 1 s"}},
      {"camera.exposure_s", kNan, {"finite"}},
      {"camera.exposure_s", "nan", {"finite"}},
      {"camera.exposure_s[ms]", kInf, {"finite"}},
      {"camera.exposure_s[mA]", 3.0, {"measures something else", "unit of s"}},
      {"camera.exposure_s[ms]", "3 us", {"camera.exposure_s"}},
      {"camera.exposure_s", "soon", {"not a number"}},
      {"laser.power_w", -1.0, {"-1 W", "at least 0 W"}},
      {"laser.on", std::int64_t{1}, {"whole number", "expected a switch"}},
      {"laser.on", "maybe", {"maybe"}},
      {"medium.kind", "dence", {"one of: dense, fast", "Did you mean \"dense\"?"}},
      {"medium.kind", std::int64_t{3}, {"expected text", "quotes: '3'"}},
      {"medium.kind[m]", "dense", {"no unit"}},
      {"camera.bist", std::int64_t{8}, {"unknown setting \"camera.bist\"", "Did you mean \"camera.bits\"?"}},
      {"bits", std::int64_t{8}, {"Did you mean \"camera.bits\"?"}},
      {"laser.exposure_s", 1.0, {"Did you mean \"camera.exposure_s\"?"}},
      {"camera", std::int64_t{8}, {"It is a group: camera.bits, camera.exposure_s"}},
      {"quux", std::int64_t{8}, {"Known: camera.bits"}},
      {"seed", 1e17, {"2^53"}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.key, to_string(row.value));
    auto p = example();
    for (const auto& text : row.says) CHECK_THROWS_WITH(p.set({{row.key, row.value}}), Contains(text));
    CHECK(p.all() == example().all());
  }
  auto p = example();
  CHECK_THROWS_AS(p.set({{"camera.bits", std::int64_t{0}}}), OutOfRange);
  CHECK_THROWS_AS(p.set({{"camera.bit", std::int64_t{8}}}), UnknownName);
  CHECK_THROWS_AS(p.set({{"camera.bits", 1.5}}), InvalidParameter);
}

TEST_CASE("param: one bad change leaves all the good ones untaken") {
  auto p = example();
  CHECK_THROWS_AS(p.set({{"camera.bits", std::int64_t{4}}, {"offset", 2.0}, {"zzz", true}}), UnknownName);
  CHECK(p.all() == example().all());
  CHECK_THROWS_WITH(p.set({{"offset", 1.0}, {"offset[mV]", 5.0}}), Contains("given twice"));
}

TEST_CASE("param: a record that contradicts itself is refused") {
  CHECK_THROWS_AS(ParamSet("x", {{"a", "1", 1.0, 2, 3, ""}}), OutOfRange);
  CHECK_THROWS_AS(ParamSet("x", {{"a", "", "u", 0, 0, "", {"v"}}}), UnknownName);
  CHECK_THROWS_AS(ParamSet("x", {{"a", "1", 1.0, 0, 0, ""}, {"a", "1", 2.0, 0, 0, ""}}), InvalidParameter);
}

TEST_CASE("param: reading under the wrong name or kind throws") {
  const auto p = example();
  CHECK_THROWS_AS(p.real("nope"), UnknownName);
  CHECK_THROWS_AS(p.real("label"), InvalidParameter);
  CHECK_THROWS_AS(p.integer("offset"), InvalidParameter);
  CHECK_THROWS_AS(p.text("camera.bits"), InvalidParameter);
  CHECK_THROWS_AS(p.boolean("label"), InvalidParameter);
}

TEST_CASE("param: the nearest name counts a swap as one mistake and gives up on strangers") {
  const std::vector<std::string> known = {"dfa", "tdfa", "sdfa", "drtp", "bp", "fa"};
  CHECK(nearest("dafa", known) == "dfa");
  CHECK(nearest("drpt", known) == "drtp");
  CHECK(nearest("DRTP", known) == "drtp");
  CHECK_FALSE(nearest("backprop", known));
  CHECK_FALSE(nearest("medium.kind", {"laser.rin", "camera.bits"}));
  CHECK(nearest("lens.bits", {"laser.rin", "camera.bits"}) == "camera.bits");
  CHECK_FALSE(nearest("x", {}));
}

TEST_CASE("param: only_with is one of some values, or another setting whatever it is") {
  auto p = example();
  ParamInfo info{"gain", "1", 1.0, 0, 0, "Gain"};
  CHECK(in_force(info, p));
  info.only_with = "medium.kind=sparse|fast,laser.power_w";
  const std::vector<Condition> both = conditions(info);
  REQUIRE(both.size() == 2);
  CHECK(both[0].key == "medium.kind");
  CHECK(both[0].values == std::vector<std::string>{"sparse", "fast"});
  CHECK(both[1].key == "laser.power_w");
  CHECK(both[1].holds(Value(0.0)));
  CHECK_FALSE(in_force(info, p));
  p.set({{"medium.kind", "fast"}});
  CHECK(in_force(info, p));
  info.only_with = "camera.gain=2";  // of another device
  CHECK_FALSE(in_force(info, p));
}
