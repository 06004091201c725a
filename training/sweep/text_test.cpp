#include "training/sweep/text.hpp"

#include <catch2/catch.hpp>

using namespace lightloop;
using namespace lightloop::sweeps;

TEST_CASE("sweep text: reals are written as Python writes them") {
  const std::pair<double, const char*> rows[] = {{0.1, "0.1"},
                                                 {1e-6, "1e-06"},
                                                 {1e12, "1000000000000.0"},
                                                 {1e16, "1e+16"},
                                                 {123456789012345680.0, "1.2345678901234568e+17"},
                                                 {5.0, "5.0"},
                                                 {-0.0, "-0.0"},
                                                 {1e-5, "1e-05"},
                                                 {0.0001, "0.0001"},
                                                 {1.5e300, "1.5e+300"},
                                                 {5e-324, "5e-324"}};
  for (const auto& [value, wanted] : rows) CHECK(repr(value) == wanted);
}

TEST_CASE("sweep text: JSON is that of Python's json.dumps with sorted keys") {
  CHECK(json(std::string("a\u00e4\"\n\u20ac\U0001F600\x01")) == R"("a\u00e4\"\n\u20ac\ud83d\ude00\u0001")");
  CHECK(json(Settings{{"b", true}, {"a", 1.0}, {"c", std::int64_t{2}}, {"d", std::string("x")}}) ==
        R"({"a": 1.0, "b": true, "c": 2, "d": "x"})");
  CHECK(repr(Value(std::string("it's"))) == "\"it's\"");
  CHECK(repr(Value(std::string("plain"))) == "'plain'");
  // Python 3.11: repr("\x00\x01\x1b\n\x7f\x85\xa0\xad\u00e4\u20ac\\'")
  CHECK(repr(Value(std::string("\0\x01\x1b\n\x7f\u0085\u00a0\u00ad\u00e4\u20ac\\'", 18))) ==
        "\"\\x00\\x01\\x1b\\n\\x7f\\x85\\xa0\\xad\u00e4\u20ac\\\\'\"");
}
