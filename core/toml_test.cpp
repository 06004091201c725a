#include "core/toml.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/param.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

namespace {
struct TomlFile {
  explicit TomlFile(const std::string& text) { write_file(path, text); }
  ~TomlFile() { std::remove(path.c_str()); }
  std::string path = "/tmp/lightloop_toml_test_" + std::to_string(::getpid()) + ".toml";
};
}  // namespace

TEST_CASE("toml: tables are flattened with dots and values keep their kind") {
  const TomlFile file(R"(
device = "sim:opu"
[train]
lr = 1e-3
epochs = 10
net = [784, 1024, 10]
baseline = ["bp", "dfa"]
[device-settings]
camera.exposure = "400 us"
"laser.bias[mA]" = 4.2
[rule]
resume = true
)");
  const auto s = read_toml(file.path);
  CHECK(s.size() == 8);
  CHECK(s.at("device") == Value("sim:opu"));
  CHECK(s.at("train.lr") == Value(1e-3));
  CHECK(s.at("train.epochs") == Value(std::int64_t{10}));
  CHECK(s.at("train.net") == Value("784,1024,10"));
  CHECK(s.at("train.baseline") == Value("bp,dfa"));
  CHECK(s.at("device-settings.camera.exposure") == Value("400 us"));
  CHECK(s.at("device-settings.laser.bias[mA]") == Value(4.2));
  CHECK(s.at("rule.resume") == Value(true));
}

TEST_CASE("toml: a tree keeps the order of keys, the kinds in arrays, and places") {
  const TomlFile file("[over]\nb = [1, 2.0, 'x', inf]\na = { to = 2, from = 1 }\n[over.c]\nd = [[1]]\n");
  const auto tree = read_toml_tree(file.path);
  const Toml* over = tree.find("over");
  REQUIRE(over);
  REQUIRE(over->entries.size() == 3);
  CHECK(over->entries[0].first == "b");
  CHECK(over->entries[0].second.items[0].value == Value(std::int64_t{1}));
  CHECK(over->entries[0].second.items[1].value == Value(2.0));
  CHECK(over->entries[0].second.items[2].value == Value("x"));
  CHECK(std::get<double>(over->entries[0].second.items[3].value) > 1e300);
  CHECK(over->entries[1].first == "a");
  CHECK(over->entries[1].second.entries[0].first == "to");
  CHECK(over->entries[2].second.find("d")->items[0].items[0].value == Value(std::int64_t{1}));
  CHECK_THAT(over->entries[1].second.find("from")->place, Contains(".toml:3:"));
  CHECK(tree.find("b") == nullptr);
}

TEST_CASE("toml: what is wrong is named with file, line and column") {
  struct Row {
    const char *text, *place, *says;
  };
  const Row rows[] = {{"a = 1\nb = \n", ":2:", ""},
                      {"a = 1\n\nb == 2\n", ":3:", ""},
                      {"a = 1\na = 2\n", ":2:", ""},
                      {"a = inf\n", ":1:5", "not finite"},
                      {"x = 1\na = 1979-05-27\n", ":2:5", "neither text, number nor switch"},
                      {"a = [[1]]\n", ":1:", "neither"},
                      {"\"a.b\" = 1\n[a]\nb = 2\n", ":", "given twice"},
                      {"a = \"\xff\"\n", ":1:", ""}};
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const TomlFile file(row.text);
    CHECK_THROWS_WITH(read_toml(file.path), Contains(file.path + row.place) && Contains(row.says));
    CHECK_THROWS_AS(read_toml(file.path), FileError);
  }
  CHECK_THROWS_WITH(read_toml("/nonexistent/x.toml"), Contains("/nonexistent/x.toml") && Contains("No such file"));
  CHECK_THROWS_AS(read_toml("/tmp"), FileError);
}

TEST_CASE("toml: letters beyond ASCII stand in quotes and comments only") {
  CHECK(read_toml(TomlFile("\"gr\u00f6\u00dfe\" = \"\u03bc\" # \u03bc\n").path).at("gr\u00f6\u00dfe") ==
        Value("\u03bc"));
  for (const char* wrong : {"d\u03bcevice = 1\n", "\u00e4 = 1\n", "a = 1 \u00e9\n", "[t\u03bc]\n", "a\u00a0= \u0416\n"})
    CHECK_THROWS_AS(read_toml(TomlFile(wrong).path), FileError);
}

TEST_CASE("toml: an empty file holds no settings") {
  const TomlFile file("");
  CHECK(read_toml(file.path).empty());
}
