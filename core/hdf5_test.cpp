#include "core/hdf5.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

TEST_CASE("hdf5: everything written is read back") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/run.h5";
  const std::vector<float> weights = {1.5f, -2, 3, 4, 5, 6};
  const std::vector<double> loss = {0.1, 0.2};
  const std::vector<std::int64_t> frames = {1, std::int64_t{1} << 40};
  const std::vector<std::uint8_t> codes = {0, 255, 7};
  const std::vector<std::uint16_t> wide = {65535};
  ParamSet params("x", {{"camera.exposure_s", "s", 1e-4, 0, 1, ""},
                        {"on", "", true, 0, 0, ""},
                        {"kind", "", "dense", 0, 0, ""},
                        {"bits", "1", std::int64_t{8}, 0, 0, ""}});
  {
    h5::Writer file(path);
    file.attribute("/", "format_version", std::int64_t{1});
    file.attribute("/", "creator", "Lightloop \u00b5");
    file.attribute("/", "names", std::vector<std::string>{"a", "", "ccc"});
    file.write("/network/layer0/weights", weights, {2, 3}, "1");
    file.write("/curves/loss", loss, {2}, "1");
    file.write("/frames", frames, {2}, "1");
    file.write("/codes", codes, {3}, "");
    file.write("/wide", wide, {1, 1}, "1");
    file.write("/scalar", std::vector<double>{3.25}, {}, "W");
    file.write("/empty", std::vector<float>{}, {0, 4}, "1");
    file.write_text("/config", "lr = 1\n");
    file.parameters("/settings", params);
    file.attribute("/settings", "bits", std::int64_t{9});  // the second writing counts
    CHECK_FALSE(fs::exists(path));
    file.commit();
  }
  CHECK(folder.files() == 1);
  const h5::Reader file(path);
  CHECK(file.attribute("/", "format_version") == Value(std::int64_t{1}));
  CHECK(file.attribute("/", "creator") == Value("Lightloop \u00b5"));
  CHECK(file.attribute_texts("/", "names") == std::vector<std::string>{"a", "", "ccc"});
  CHECK(file.holds_list("/", "names"));
  CHECK_FALSE(file.holds_list("/", "creator"));
  std::vector<float> back(6);
  file.read("/network/layer0/weights", back);
  CHECK(back == weights);
  CHECK(file.read("/network/layer0/weights").shape == std::vector<Index>{2, 3});
  CHECK(file.unit("/scalar") == "W");
  CHECK(file.unit("/codes").empty());
  CHECK(file.read("/curves/loss").values == loss);
  CHECK(file.read("/frames").values[1] == 0x1p40);
  CHECK(file.read_bytes("/codes") == codes);
  CHECK(file.read("/wide").values[0] == 65535);
  CHECK(file.read("/scalar").shape.empty());
  CHECK(file.read("/scalar").values == std::vector<double>{3.25});
  CHECK(file.read("/empty").shape == std::vector<Index>{0, 4});
  CHECK(file.read_text("/config") == "lr = 1\n");
  CHECK(file.children("/network") == std::vector<std::string>{"layer0"});
  CHECK(file.is_group("/network"));
  CHECK_FALSE(file.is_group("/codes"));
  CHECK(file.exists("/network/layer0/weights"));
  CHECK_FALSE(file.exists("/network/layer1/weights"));
  auto expected = params.all();
  expected["bits"] = std::int64_t{9};
  CHECK(file.parameters("/settings") == expected);
  CHECK(file.attribute("/settings", "camera.exposure_s.unit") == Value("s"));
}

TEST_CASE("hdf5: without commit nothing is left and an older file stays") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/run.h5";
  write_file(path, "older");
  try {
    h5::Writer file(path);
    file.write("/a", std::vector<float>(1000), {1000}, "1");
    throw InvalidParameter("something", "else");
  } catch (const InvalidParameter&) {
  }
  CHECK(folder.files() == 1);
  CHECK(read_file(path) == "older");
}

TEST_CASE("hdf5: a full disk is one FileError, leaves nothing, and an older file stays") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/run.h5";
  const test::FileLimit limit(100'000);
  const auto write = [&](Index size) {
    h5::Writer file(path);
    file.write("/a", std::vector<float>(static_cast<std::size_t>(size)), {size}, "1");
    file.commit();
  };
  CHECK_THROWS_WITH(write(100'000), Contains(path) && Contains("File too large") && Contains("Free some space"));
  CHECK_THROWS_AS(write(100'000), FileError);
  CHECK(folder.files() == 0);
  write(10);
  CHECK_THROWS_AS(write(100'000), FileError);
  CHECK(folder.files() == 1);
  CHECK(h5::Reader(path).shape("/a") == std::vector<Index>{10});
}

TEST_CASE("hdf5: a writer may commit again after writing more") {
  const test::TemporaryFolder folder;
  h5::Writer file(folder.path + "/run.h5");
  file.write("/a", std::vector<float>(10, 1.0f), {10}, "1");
  file.commit();
  CHECK(h5::Reader(folder.path + "/run.h5").children("/") == std::vector<std::string>{"a"});
  file.write("/b", std::vector<float>(500'000, 2.0f), {500'000}, "1");
  file.commit();
  CHECK(h5::Reader(folder.path + "/run.h5").children("/") == std::vector<std::string>{"a", "b"});
  CHECK(h5::Reader(folder.path + "/run.h5").read("/b").values.back() == 2.0);
}

TEST_CASE("hdf5: what cannot be written is refused by name") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(h5::Writer(folder.path + "/none/run.h5"), Contains("/none/run.h5") && Contains("No such file"));
  h5::Writer file(folder.path + "/run.h5");
  file.write("/a", std::vector<float>(4), {2, 2}, "1");
  file.write("/x", std::vector<float>(3), {3}, "1");
  CHECK_THROWS_WITH(file.write("/b", std::vector<float>(4), {5}, "1"), Contains("/b") && Contains("4 values"));
  CHECK_THROWS_WITH(file.write("/a", std::vector<float>(4), {4}, "1"), Contains("exists already"));
  CHECK_THROWS_AS(file.write("a", std::vector<float>(4), {4}, "1"), InvalidParameter);
  CHECK_THROWS_AS(file.write("/a/b", std::vector<float>(4), {4}, "1"), FileError);
  CHECK_THROWS_AS(file.dimension("/a", 0, "/x"), ShapeMismatch);
  CHECK_THROWS_AS(file.dimension("/a", 2, "/x"), ShapeMismatch);
  CHECK_THROWS_AS(file.dimension("/a", 0, "/y"), FileError);
}

TEST_CASE("hdf5: what cannot be read is refused by file, object and remedy") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/run.h5";
  CHECK_THROWS_WITH(h5::Reader(path), Contains(path) && Contains("No such file"));
  write_file(path, "not HDF5 at all");
  CHECK_THROWS_WITH(h5::Reader(path), Contains(path) && Contains("file signature not found"));
  CHECK_THROWS_AS(h5::Reader(folder.path), FileError);
  {
    h5::Writer file(path);
    file.write("/network/weights", std::vector<float>(4000), {4000}, "1");
    file.write_text("/text", "x");
    file.attribute("/", "list", std::vector<std::string>{"a", "b"});
    file.commit();
  }
  const auto whole = read_file(path);
  {
    const h5::Reader file(path);
    std::vector<float> few(3);
    CHECK_THROWS_AS(file.read("/network/weights", few), ShapeMismatch);
    CHECK_THROWS_WITH(file.read("/network/wieghts"), Contains("Did you mean \"weights\"?"));
    CHECK_THROWS_WITH(file.read("/no/such"), Contains("/no/such") && Contains(path));
    CHECK_THROWS_WITH(file.read("/network"), Contains("group"));
    CHECK_THROWS_WITH(file.read("/text"), Contains("numbers"));
    CHECK_THROWS_WITH(file.read_bytes("/network/weights"), Contains("8-bit"));
    CHECK_THROWS_WITH(file.read_text("/network/weights"), Contains("text"));
    CHECK_THROWS_WITH(file.attribute("/", "version"), Contains("/:version"));
    CHECK_THROWS_WITH(file.attribute("/", "list"), Contains("list"));
    CHECK_THROWS_AS(file.children("/none"), FileError);
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{40}, whole.size() / 2, whole.size() - 1}) {
    CAPTURE(length);
    write_file(path, whole.substr(0, length));
    CHECK_THROWS_AS(h5::Reader(path), FileError);
  }
}

TEST_CASE("hdf5: files without a path are in memory only, several at once") {
  h5::Writer one(""), two("");
  one.attribute("/", "number", Value(std::int64_t{1}));
  two.attribute("/", "number", Value(std::int64_t{2}));
  CHECK(one.image() != two.image());
}

TEST_CASE("hdf5: dimensions make the file valid netCDF-4") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/sweep.h5";
  {
    h5::Writer file(path);
    std::vector<double> accuracy(6);
    std::iota(accuracy.begin(), accuracy.end(), 0.0);
    file.write("/bits", std::vector<std::int64_t>{4, 6, 8}, {3}, "1");
    file.write("/accuracy", accuracy, {3, 2}, "1");
    file.bare_dimension("/repeat", 2);
    file.dimension("/accuracy", 0, "/bits");
    file.dimension("/accuracy", 1, "/repeat");
    file.write_texts("/direction", {"up", "", "down \u00b5"});
    file.write("/slope", std::vector<double>(6), {3, 2}, "1");
    file.dimension("/slope", 0, "/direction");
    file.commit();
    CHECK(file.image() == read_file(path));
  }
  const h5::Reader file(path);
  CHECK(file.dimensions("/accuracy") == std::vector<std::string>{"bits", "repeat"});
  CHECK(file.dimensions("/slope") == std::vector<std::string>{"direction", ""});
  CHECK(file.is_dimension("/bits"));
  CHECK_FALSE(file.is_dimension("/accuracy"));
  CHECK(file.holds_text("/direction"));
  CHECK_FALSE(file.holds_text("/bits"));
  CHECK(file.read_texts("/direction") == std::vector<std::string>{"up", "", "down \u00b5"});
  CHECK_THROWS_AS(file.read_texts("/bits"), FileError);
  CHECK(file.attribute("/bits", "CLASS") == Value("DIMENSION_SCALE"));
  CHECK(file.attribute("/bits", "NAME") == Value("bits"));
  CHECK(file.has_attribute("/accuracy", "DIMENSION_LIST"));
  CHECK(file.attribute_names("/accuracy") == std::vector<std::string>{"units"});
}
