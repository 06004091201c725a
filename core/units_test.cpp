#include "core/units.hpp"

#include <catch2/catch.hpp>
#include <numbers>

#include "core/error.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

TEST_CASE("units: quantities are read into SI") {
  struct Row {
    const char *text, *unit;
    double expected;
  };
  const Row rows[] = {
      {"400 us", "s", 4e-4},     {"4.2mA", "A", 4.2e-3},
      {"850nm", "m", 850e-9},    {"0.3", "s", 0.3},
      {"  +5 ", "1", 5},         {"-2.5e-3 V", "V", -2.5e-3},
      {"1e3", "Hz", 1e3},        {"3 dBm", "W", 1.9952623e-3},
      {"-3dB", "1", 0.50118723}, {"10 %", "1", 0.1},
      {"25 degC", "K", 298.15},  {"180 deg", "rad", std::numbers::pi},
      {"2 min", "s", 120},       {"1.5h", "s", 5400},
      {"1 d", "s", 86400},       {"7 \u00b5m", "m", 7e-6},
      {"7 \u03bcm", "m", 7e-6},  {"3 k\u03a9", "ohm", 3e3},
      {"0.8 mA/W", "A/W", 8e-4}, {"5 nm^2", "m^2", 5e-18},
      {"4 1/ns", "Hz", 4e9},     {"2 V*s", "J/A", 2},
      {"12 e-", "e-", 12},       {"3e2px", "px", 300},
      {"5 ps", "s", 5e-12},      {"193.4 THz", "Hz", 193.4e12},
      {"20 S", "S", 20},         {"6 deg/h", "rad/s", std::numbers::pi / 30 / 3600},
      {".5", "1", 0.5},          {"2 kg", "kg", 2},
      {"1 cm", "m", 1e-2},       {"1 fJ", "J", 1e-15},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text, row.unit);
    CHECK(parse_quantity(row.text, row.unit, "x") == Approx(row.expected).epsilon(1e-7));
  }
}

TEST_CASE("units: what makes no sense is refused by name") {
  struct Row {
    const char *text, *unit, *says;
  };
  const Row rows[] = {
      {"", "s", "not a number"},
      {"fast", "s", "not a number"},
      {"+-4", "s", "not a number"},
      {"400 parsec", "s", "unknown unit \"parsec\""},
      {"4 mm", "s", "measures something else (expected a unit of s)"},
      {"4 Mmin", "s", "unknown unit"},
      {"3 dBm", "V", "measures something else"},
      {"3 dB", "W", "measures something else"},
      {"25 degC", "s", "measures something else"},
      {"5 s", "1", "expected a pure number"},
      {"nan", "s", "must be finite"},
      {"inf s", "s", "must be finite"},
      {"1e999", "s", "too large"},
      {"5000 dBm", "W", "must be finite"},
      {"5 m^x", "m", "unknown unit"},
      {"5 /s", "Hz", "unknown unit"},
      {"1 2", "s", "unknown unit"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text, row.unit);
    CHECK_THROWS_WITH(parse_quantity(row.text, row.unit, "camera.exposure_s"),
                      Contains(row.says) && Contains("camera.exposure_s"));
    CHECK_THROWS_AS(parse_quantity(row.text, row.unit, "x"), InvalidParameter);
  }
}

TEST_CASE("units: factors exist for linear units only") {
  CHECK(unit_factor("mA", "A", "x") == 1e-3);
  CHECK(unit_factor("GHz", "Hz", "x") == 1e9);
  CHECK(unit_factor("%", "1", "x") == 0.01);
  CHECK_THROWS_AS(unit_factor("dBm", "W", "x"), InvalidParameter);
  CHECK_THROWS_AS(unit_factor("mA", "V", "x"), InvalidParameter);
  CHECK(to_si(0, "dBm", "W", "x") == Approx(1e-3));
  CHECK(to_si(-273.15, "degC", "K", "x") == Approx(0).margin(1e-9));
}

TEST_CASE("units: quantities are written with a fitting prefix and read back") {
  CHECK(format_quantity(4e-4, "s") == "400 us");
  CHECK(format_quantity(0.0042, "A") == "4.2 mA");
  CHECK(format_quantity(850e-9, "m") == "850 nm");
  CHECK(format_quantity(0.99999999, "W") == "1 W");
  CHECK(format_quantity(7200, "s") == "7200 s");
  CHECK(format_quantity(193.4e12, "Hz") == "193.4 THz");
  CHECK(format_quantity(0, "V") == "0 V");
  CHECK(format_quantity(0.3, "1") == "0.3");
  CHECK(format_quantity(8, "") == "8");
  CHECK(format_quantity(-12e-6, "A/W") == "-1.2e-05 A/W");
  CHECK(format_quantity(-2e-3, "V") == "-2 mV");
  for (const double value : {1e-18, 3.7e-9, 0.25, 12345.0, 9.9e13})
    CHECK(parse_quantity(format_quantity(value, "J"), "J", "x") == Approx(value).epsilon(1e-5));
}
