#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/param.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

TEST_CASE("settings: the tail of a device string becomes typed values") {
  const auto s = parse_settings(" a=1, b=4.2 mA ,c='x,y',d=true,e=0.5,f=\"it\"\"s\",camera.bits=8,g=x=y,h='5',i=nan ");
  CHECK(s.size() == 10);
  CHECK(s.at("a") == Value(std::int64_t{1}));
  CHECK(s.at("b") == Value("4.2 mA"));
  CHECK(s.at("c") == Value("x,y"));
  CHECK(s.at("d") == Value(true));
  CHECK(s.at("e") == Value(0.5));
  CHECK(s.at("f") == Value("it\"s"));
  CHECK(s.at("camera.bits") == Value(std::int64_t{8}));
  CHECK(s.at("g") == Value("x=y"));
  CHECK(s.at("h") == Value("5"));
  CHECK(s.at("i") == Value("nan"));
  CHECK(parse_settings("").empty());
  CHECK(parse_settings("  ").empty());
}

TEST_CASE("settings: malformed text is refused with what is wrong") {
  struct Row {
    const char *text, *says;
  };
  const Row rows[] = {{"a", "no \"=\""},
                      {"a,b=1", "no \"=\""},
                      {"=1", "no key"},
                      {"a=", "no value"},
                      {"a=,b=1", "no value"},
                      {"a='x", "never closed"},
                      {"a='x'y", "after the closing quote"},
                      {"a=1,", "after the last comma"},
                      {"a=1,a=2", "twice"},
                      {",a=1", "no \"=\""}};
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK_THROWS_WITH(parse_settings(row.text), Contains(row.says));
    CHECK_THROWS_AS(parse_settings(row.text), InvalidParameter);
  }
}

TEST_CASE("settings: one assignment keeps commas in its value") {
  CHECK(parse_assignment("train.baseline = bp,dfa") == std::pair<std::string, Value>("train.baseline", "bp,dfa"));
  CHECK(parse_assignment("lr=1e-3").second == Value(1e-3));
  CHECK(parse_assignment("name=''").second == Value(""));
  CHECK_THROWS_AS(parse_assignment("lr"), InvalidParameter);
}

TEST_CASE("settings: writing and reading them again changes nothing") {
  const Settings s = {{"a", std::int64_t{-3}},
                      {"b", 0.1},
                      {"c", "x,y"},
                      {"d", "it's"},
                      {"e", true},
                      {"f", "true"},
                      {"g", "12"},
                      {"h", " pad "},
                      {"i", ""},
                      {"j", "4.2 mA"},
                      {"k", 1e300},
                      {"l", "\"quoted"},
                      {"m", "a=b"}};
  CHECK(parse_settings(format_settings(s)) == s);
}

TEST_CASE("settings: a negative zero stays one") {
  const Settings s = parse_settings("a=-0,b=-0e-300");
  for (const char* name : {"a", "b"}) {
    REQUIRE(std::holds_alternative<double>(s.at(name)));
    CHECK(std::signbit(std::get<double>(s.at(name))));
  }
  CHECK(format_settings(parse_settings(format_settings(s))) == format_settings(s));
}

TEST_CASE("settings: those below a prefix lose it") {
  const Settings s = {{"device.a", 1.5}, {"device.b.c", true}, {"devices.a", false}, {"rule.k", std::int64_t{5}}};
  CHECK(below(s, "device") == Settings{{"a", 1.5}, {"b.c", true}});
  CHECK(below(s, "none").empty());
}

TEST_CASE("settings: numbers are written in their shortest exact form") {
  CHECK(to_string(Value(0.1)) == "0.1");
  CHECK(to_string(Value(4e-4)) == "4e-04");
  CHECK(to_string(Value(8.0)) == "8");
  CHECK(to_string(Value(std::int64_t{-7})) == "-7");
  CHECK(to_string(Value(false)) == "false");
}
