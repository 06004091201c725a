#include "training/datasets/dataset.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/test_files.hpp"
#include "training/layers/graph.hpp"

using namespace lightloop;
using namespace lightloop::test;
using Catch::Matchers::Contains;

namespace {
const char* const kTrainX = "train-images-idx3-ubyte";
const char* const kTrainY = "train-labels-idx1-ubyte";
const char* const kTestX = "t10k-images-idx3-ubyte";
const char* const kTestY = "t10k-labels-idx1-ubyte";

std::string counting(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(i);
  return bytes;
}

/// Six training and two test images of 2 x 3.
void write_idx_set(const Folder& folder) {
  write_file(folder / kTrainX, idx({6, 2, 3}, counting(36)));
  write_file(folder / (std::string(kTrainY) + ".gz"), gzip(idx({6}, counting(6))));
  write_file(folder / (std::string(kTestX) + ".gz"), gzip(idx({2, 2, 3}, counting(12))));
  write_file(folder / kTestY, idx({2}, counting(2)));
}
}  // namespace

TEST_CASE("datasets: IDX files are read, gzip or plain") {
  const Folder folder;
  write_idx_set(folder);
  for (const std::string& name : {std::string("mnist"), folder.path}) {
    const auto both = load_dataset(name, folder.path, 0);
    CHECK(both.train.size() == 6);
    CHECK(both.test.size() == 2);
    CHECK(both.train.sample_shape == std::vector<Index>{2, 3});
    CHECK(both.train.features() == 6);
    CHECK(both.train.classes == (name == "mnist" ? 10 : 6));
    CHECK(both.test.classes == both.train.classes);
    CHECK(both.train.bytes(5, 5) == 35);
    CHECK(both.train.labels[4] == 4);
    CHECK(both.test.bytes(1, 0) == 6);
    CHECK(both.train.source == folder / kTrainX);
  }
}

TEST_CASE("datasets: gather turns chosen rows into floats") {
  const Folder folder;
  write_idx_set(folder);
  const auto both = load_dataset("mnist", folder.path, 0);
  const std::vector<std::uint32_t> which = {5, 0, 5};
  Matrix<float> x(3, 6);
  both.train.gather(which, x);
  for (Index c = 0; c < 6; ++c) {
    CHECK(x(0, c) == Approx(static_cast<double>(30 + c) / 255));
    CHECK(x(1, c) == Approx(static_cast<double>(c) / 255).margin(1e-9));
    CHECK(x(2, c) == x(0, c));
  }
  CHECK_THROWS_AS(both.train.gather(std::vector<std::uint32_t>{0, 6, 1}, x), OutOfRange);
  CHECK_THROWS_AS(both.train.gather(std::vector<std::uint32_t>{0}, x), ShapeMismatch);
}

TEST_CASE("datasets: some of the samples are rows of the set with their labels, and fewer are among more") {
  Dataset all = clusters(200, 1);
  std::vector<Index> found[2];
  for (const Index n : {50, 120}) {
    const Dataset few = all.some(n);
    REQUIRE(few.size() == n);
    Index from = 0;
    for (Index r = 0; r < n; ++r, ++from) {
      while (from < all.size() && !std::ranges::equal(few.floats.row(r), all.floats.row(from))) ++from;  // in order
      REQUIRE(from < all.size());
      CHECK(few.labels[std::size_t(r)] == all.labels[std::size_t(from)]);
      found[n == 120].push_back(from);
    }
  }
  CHECK(std::ranges::includes(found[1], found[0]));
  CHECK(found[0].back() > 100);  // not the first ones
  CHECK(all.some(200).content_sha256() == all.content_sha256());
  all.targets = 4;  // 50 samples of four labels
  all.floats = Matrix<float>(50, 3);
  for (Index r = 0; r < 50; ++r) all.floats(r, 0) = float(r);
  const Dataset texts = all.some(20);
  REQUIRE(texts.size() == 20);
  for (Index r = 0; r < 20; ++r)
    for (std::size_t t = 0; t < 4; ++t)
      CHECK(texts.labels[std::size_t(4 * r) + t] == all.labels[std::size_t(4 * texts.floats(r, 0)) + t]);
  CHECK_THROWS_AS(all.some(51), OutOfRange);
  CHECK_THROWS_AS(all.some(0), OutOfRange);
  all.graph = std::make_shared<Graph>();
  CHECK_THROWS_AS(all.some(20), Unsupported);
}

TEST_CASE("datasets: malformed IDX files are refused by file and fault") {
  struct Row {
    const char* file;
    std::string content;
    const char* says;
  };
  auto bad_sum = gzip(idx({6}, counting(6)));
  bad_sum[bad_sum.size() - 6] ^= 1;
  const auto zipped = gzip(idx({6}, counting(6)));
  const Row rows[] = {
      {kTrainX, "", "shorter than the 4 bytes"},
      {kTrainX, "abc", "shorter than the 4 bytes"},
      {kTrainX, "PK\x03\x04 something else", "wrong magic number 0x504b0304"},
      {kTrainX, idx({6, 2, 3}, counting(36), 0x0d), "IDX type code 13"},
      {kTrainX, idx({36}, counting(36)), "1 dimensions"},
      {kTrainX, idx({6, 1, 1, 1, 6}, counting(36)), "5 dimensions"},
      {kTrainX, idx({6, 2, 3}, "").substr(0, 11), "ends inside the header"},
      {kTrainX, idx({6, 0, 3}, ""), "dimension 1 is 0"},
      {kTrainX, idx({6, 2, 3}, counting(35)), "truncated: 35 of 36"},
      {kTrainX, gzip(idx({6, 2, 3}, counting(35))), "truncated: 35 of 36"},
      {kTrainX, idx({6, 2, 3}, counting(37)), "more after the last value"},
      {kTrainX, idx({6, 0xffffffff, 0xffffffff}, counting(36)), "promises more bytes"},
      {kTrainX, gzip(idx({6, 0xffffffff, 0xffffffff}, counting(36))), "promises more bytes"},
      {kTrainX, idx({5, 2, 3}, counting(30)), "5 images"},
      {kTrainY, idx({6, 1}, counting(6)), "2 dimensions"},
      {kTrainY, idx({6}, std::string("\1\2\3\4\5\12", 6)), "label 10 of sample 5"},
      {kTrainY, zipped.substr(0, zipped.size() - 12), "ends too early"},
      {kTrainY, zipped.substr(0, zipped.size() - 3), "ends too early"},
      {kTrainY, bad_sum, "damaged gzip data"},
      {kTrainY, zipped + "x", "more after the last value"},
      {kTestX, idx({2, 3, 3}, counting(18)), "samples of 3 x 3"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.file, row.says);
    const Folder folder;
    write_idx_set(folder);
    std::filesystem::remove(folder / (std::string(row.file) + ".gz"));
    write_file(folder / row.file, row.content);
    CHECK_THROWS_WITH(load_dataset("mnist", folder.path, 0), Contains(row.file) && Contains(row.says));
    CHECK_THROWS_AS(load_dataset("mnist", folder.path, 0), FileError);
  }
}

TEST_CASE("datasets: what is missing is named with every place and the command that gets it") {
  const Folder folder;
  ::setenv("LIGHTLOOP_DATA", "/nonexistent/data", 1);
  CHECK_THROWS_WITH(load_dataset("fashion", folder.path, 0), Contains(folder.path) && Contains("/nonexistent/data") &&
                                                                 Contains(".cache/lightloop") &&
                                                                 Contains("lightloop data download fashion"));
  ::setenv("LIGHTLOOP_DATA", folder.path.c_str(), 1);
  write_idx_set(folder);
  CHECK(load_dataset("mnist", "", 0).train.size() == 6);
  ::unsetenv("LIGHTLOOP_DATA");
  std::filesystem::remove(folder / kTestY);
  CHECK_THROWS_WITH(load_dataset("mnist", folder.path, 0),
                    Contains(kTestY) && Contains("missing") && Contains("lightloop data download mnist"));
  CHECK_THROWS_WITH(load_dataset("mnits", folder.path, 0), Contains("Did you mean \"mnist\"?"));
  CHECK_THROWS_AS(load_dataset("mnits", folder.path, 0), UnknownName);
  CHECK_THROWS_WITH(load_dataset(folder / "none.csv", "", 0), Contains("none.csv") && Contains("No such file"));
  CHECK_THROWS_WITH(load_dataset(folder / "none.h5", "", 0), Contains("none.h5"));
}

TEST_CASE("datasets: a folder named after one set is not taken for another") {
  ::unsetenv("LIGHTLOOP_DATA");  // the real sets may be there
  const Folder folder;
  std::filesystem::create_directories(folder / "fashion-mnist");
  for (const char* name : {kTrainX, kTestX})
    write_file(folder / ("fashion-mnist/" + std::string(name)), idx({6, 1, 6}, counting(36)));
  for (const char* name : {kTrainY, kTestY})
    write_file(folder / ("fashion-mnist/" + std::string(name)), idx({6}, counting(6)));
  CHECK(load_dataset("fashion", folder.path, 0).train.sample_shape == std::vector<Index>{1, 6});
  CHECK(load_dataset("fashion", folder / "fashion-mnist", 0).train.size() == 6);
  CHECK_THROWS_AS(load_dataset("mnist", folder / "fashion-mnist", 0), FileError);
}

TEST_CASE("datasets: CSV is read with a header or without, split or with its test file") {
  const Folder folder;
  std::string plain = "\xef\xbb\xbf", headed = "\"class\";a;b\r\n\r\n";
  for (int i = 0; i < 12; ++i) {
    plain += std::to_string(i) + ".5, +1e-1," + std::to_string(i % 3) + "\n";
    headed += std::to_string(i % 3) + ";" + std::to_string(i) + ".5;0.1\r\n";
  }
  write_file(folder / "plain.csv", plain);
  write_file(folder / "headed.csv", headed);
  for (const char* name : {"plain.csv", "headed.csv"}) {
    CAPTURE(name);
    const auto both = load_dataset(folder / name, "", 0);
    CHECK(both.train.size() == 10);
    CHECK(both.test.size() == 2);
    CHECK(both.train.classes == 3);
    std::vector<float> found;
    for (const Dataset* part : {&both.train, &both.test}) {
      for (Index i = 0; i < part->size(); ++i) {
        const float value = part->floats(i, 0);
        CHECK((i == 0 || value > part->floats(i - 1, 0)));  // the order of the file
        CHECK(part->labels[std::size_t(i)] == int(value) % 3);
        CHECK(part->floats(i, 1) == 0.1f);
        found.push_back(value);
      }
    }
    std::ranges::sort(found);
    for (std::size_t i = 0; i < 12; ++i) CHECK(found[i] == float(i) + 0.5f);
  }
  write_file(folder / "my_train.csv", plain);
  write_file(folder / "my_test.csv", "1,2,5\n");
  const auto both = load_dataset(folder / "my_train.csv", "", 0);
  CHECK(both.train.size() == 12);
  CHECK(both.test.size() == 1);
  CHECK(both.test.classes == 6);
}

TEST_CASE("datasets: the test part of one sorted file has every class, the same samples for every seed") {
  const Folder folder;
  std::string sorted;
  for (int i = 0; i < 600; ++i) sorted += std::to_string(i) + "," + std::to_string(i / 200) + "\n";
  write_file(folder / "a.csv", sorted);
  const auto both = load_dataset(folder / "a.csv", "", 1);
  for (const Index samples : both.test.per_class()) CHECK(samples == Approx(100 / 3.0).margin(15));  // sd 4.3
  CHECK(both.test.per_class().size() == 3);
  CHECK(both.train.per_class()[0] + both.test.per_class()[0] == 200);
  CHECK(load_dataset(folder / "a.csv", "", 2).test.content_sha256() == both.test.content_sha256());
  const auto rows = [&](const auto& y, Index columns) {
    std::vector<float> x(12);
    std::iota(x.begin(), x.end(), 0.0f);
    h5::Writer file(folder / "a.h5");
    file.write("/x", x, {12, 1}, "1");
    file.write("/y", y, {12, columns}, "");
    file.commit();
    return load_dataset(folder / "a.h5", "", 0);
  };
  // rows that may follow each other in time: the last ones
  for (const auto& part : {rows(std::vector<float>(24, 0.5f), 2), rows(std::vector<std::int64_t>(24, 1), 2)}) {
    CHECK(part.test.floats(0, 0) == 10);
    CHECK(part.test.floats(1, 0) == 11);
    CHECK(part.test.per_class().empty());
  }
}

TEST_CASE("datasets: malformed CSV is refused by line and column") {
  struct Row {
    const char *content, *says;
  };
  const Row rows[] = {{"", "no samples"},
                      {"a,b,label\n", "no samples"},
                      {"1,2,0\n1,nan,0\n", ":2, column 2: nan"},
                      {"1,2,0\n1,inf,0\n", ":2, column 2: inf"},
                      {"1,2,0\n1,,0\n", ":2, column 2: \"\" is not a number"},
                      {"1,2,0\n1,1e99,0\n", "is not a number"},
                      {"1,2,0\n\n1,0\n", ":3: 2 columns (the lines before have 3)"},
                      {"1,2,0\n1,2,256\n", ":2, column 3: label 256"},
                      {"1,2,-1\n", "label -1"},
                      {"1,2,0.5\n", "label 0.5"},
                      {"1,2,cat\n", "\"cat\" is not a number"},
                      {"5\n6\n", "one column"},
                      {"1,2,0\n1,2,1\n", "2 samples"},
                      {"1,0\n1,0\n1,0\n1,0\n1,0\n1,0\n", "one class only"}};
  for (const auto& row : rows) {
    CAPTURE(row.content);
    const Folder folder;
    write_file(folder / "a.csv", row.content);
    CHECK_THROWS_WITH(load_dataset(folder / "a.csv", "", 0), Contains(folder / "a.csv") && Contains(row.says));
    CHECK_THROWS_AS(load_dataset(folder / "a.csv", "", 0), FileError);
  }
}

TEST_CASE("datasets: HDF5 is read as bytes or floats, with groups train and test or without") {
  const Folder folder;
  std::vector<std::uint8_t> bytes(12 * 4), labels(12);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < 12; ++i) labels[i] = i % 2;
  {
    h5::Writer file(folder / "a.h5");
    file.write("/images", bytes, {12, 2, 2}, "");
    file.write("/labels", labels, {12}, "");
    file.commit();
  }
  const auto a = load_dataset(folder / "a.h5", "", 0);
  CHECK(a.train.size() == 10);
  CHECK(a.train.sample_shape == std::vector<Index>{2, 2});
  CHECK(a.test.bytes(1, 3) == a.test.bytes(1, 0) + 3);
  CHECK(a.test.labels[1] == a.test.bytes(1, 0) / 4 % 2);
  {
    h5::Writer file(folder / "b.h5");
    for (const std::string group : {"/train", "/test"}) {
      file.write(group + "/x", std::vector<float>{0.5f, 1, 2, 3}, {2, 2}, "1");
      file.write(group + "/y", std::vector<std::int64_t>{0, 3}, {2}, "");
    }
    file.commit();
  }
  const auto b = load_dataset(folder / "b.h5", "", 0);
  CHECK(b.test.size() == 2);
  CHECK(b.train.floats(0, 0) == 0.5f);
  CHECK(b.train.classes == 4);
  {
    h5::Writer file(folder / "c.h5");
    for (const std::string group : {"/train", "/test"}) {
      file.write(group + "/x", std::vector<float>{0.5f, 1, 2, 3}, {2, 2}, "1");
      file.write(group + "/y", std::vector<float>{0, 3}, {2}, "");
    }
    file.commit();
  }
  CHECK(load_dataset(folder / "c.h5", "", 0).train.labels == b.train.labels);  // whole reals are labels too
}

TEST_CASE("datasets: columns of integers are labels of tokens, columns of floats real targets") {
  const Folder folder;
  const auto write = [&](const auto& y, Index columns, const auto& last) {
    h5::Writer file(folder / "a.h5");
    for (const std::string group : {"/train", "/test"}) {
      file.write(group + "/x", std::vector<float>{0.5f, 1, 2, 3, 4, 5}, {2, 3}, "1");
      if (group == "/train")
        file.write(group + "/y", y, {2, columns}, "");
      else
        file.write(group + "/y", last, {2, static_cast<Index>(last.size()) / 2}, "");
    }
    file.commit();
  };
  const std::vector<std::int64_t> codes{0, 3, 1, 2, 2, 0};
  const std::vector<float> reals{0, 3, 1, 2, 2, 0};
  write(codes, 3, codes);
  const auto tokens = load_dataset(folder / "a.h5", "", 0);
  CHECK(tokens.train.size() == 2);
  CHECK(tokens.train.targets == 3);
  CHECK(tokens.train.classes == 4);
  CHECK(tokens.train.values.size() == 0);
  CHECK(tokens.train.labels == std::vector<std::uint8_t>{0, 3, 1, 2, 2, 0});
  write(std::vector<std::uint8_t>{0, 3, 1, 2, 2, 0}, 3, codes);
  CHECK(load_dataset(folder / "a.h5", "", 0).train.content_sha256() == tokens.train.content_sha256());
  write(reals, 3, reals);
  const auto real = load_dataset(folder / "a.h5", "", 0);
  CHECK(real.train.targets == 1);
  CHECK(real.train.values(1, 0) == 2.0f);
  write(std::vector<std::int64_t>{0, 3}, 1, std::vector<std::int64_t>{1, 2});  // one column: a label for each sample
  CHECK(load_dataset(folder / "a.h5", "", 0).train.targets == 1);
  write(codes, 3, std::vector<std::int64_t>{0, 3, 1, 2});
  CHECK_THROWS_WITH(load_dataset(folder / "a.h5", "", 0), Contains("2 labels for a sample") && Contains("3, as for"));
  write(codes, 3, reals);
  CHECK_THROWS_WITH(load_dataset(folder / "a.h5", "", 0), Contains("real targets"));
  write(std::vector<std::int64_t>{0, 3, 1, 2, -2, 0}, 3, codes);
  CHECK_THROWS_WITH(load_dataset(folder / "a.h5", "", 0), Contains("label -2") && Contains("floats"));
}

TEST_CASE("datasets: malformed HDF5 is refused by object") {
  const auto refuse = [](std::vector<float> x, std::vector<Index> shape, std::vector<double> y,
                         const std::string& says) {
    const Folder folder;
    h5::Writer file(folder / "a.h5");
    file.write("/x", x, std::move(shape), "1");
    if (!y.empty()) file.write("/y", y, {static_cast<Index>(y.size())}, "");
    file.commit();
    CAPTURE(says);
    CHECK_THROWS_WITH(load_dataset(folder / "a.h5", "", 0), Contains(folder / "a.h5") && Contains(says));
    CHECK_THROWS_AS(load_dataset(folder / "a.h5", "", 0), FileError);
  };
  refuse({1, 2}, {2, 1}, {}, "no samples and labels");
  refuse({1, 2}, {2}, {0, 1}, "1 dimensions");
  refuse({1, 2}, {2, 1}, {0, 1, 0}, "3 labels");
  refuse({1, 2}, {2, 1}, {0, -1}, "/y[1]: label -1");
  refuse({1, 2}, {2, 1}, {0, 300}, "label 300");
  refuse({1, 2}, {2, 1}, {0, 0.5}, "label 0.5");
  refuse({1, 2}, {2, 1}, {0, 0.5}, "real targets as floats of shape (samples, 1)");
  refuse({1, NAN}, {2, 1}, {0, 1}, "/x[1]: nan");
  refuse({}, {0, 4}, {0}, "0 samples");
}

TEST_CASE("datasets: digits depend on seed and index only and every class is balanced") {
  const auto a = load_dataset("digits", "", 3), b = load_dataset("digits", "", 3), c = load_dataset("digits", "", 4);
  CHECK(a.train.size() == 10000);
  CHECK(a.test.size() == 2000);
  CHECK(a.train.sample_shape == std::vector<Index>{28, 28});
  CHECK(a.train.classes == 10);
  CHECK(std::ranges::equal(a.train.bytes.flat(), b.train.bytes.flat()));
  CHECK_FALSE(std::ranges::equal(a.train.bytes.flat(), c.train.bytes.flat()));
  CHECK_FALSE(std::ranges::equal(a.train.bytes.row(0), a.test.bytes.row(0)));
  CHECK(std::count(a.train.labels.begin(), a.train.labels.end(), 7) == 1000);
}

TEST_CASE("datasets: digits are neither trivial nor noise") {
  // Nearest class mean, a classifier with nothing to tune: chance is 10 %, a set of fixed glyphs would give 100 %.
  const auto data = load_dataset("digits", "", 1);
  Matrix<float> means(10, 784);
  for (Index i = 0; i < data.train.size(); ++i)
    for (Index c = 0; c < 784; ++c)
      means(data.train.labels[static_cast<std::size_t>(i)], c) += data.train.bytes(i, c) / 1000.0f;
  Index right = 0;
  for (Index i = 0; i < data.test.size(); ++i) {
    Index best = 0;
    float best_distance = 1e30f;
    for (Index k = 0; k < 10; ++k) {
      float distance = 0;
      for (Index c = 0; c < 784; ++c)
        distance += std::pow(means(k, c) - static_cast<float>(data.test.bytes(i, c)), 2.0f);
      if (distance < best_distance) {
        best = k;
        best_distance = distance;
      }
    }
    right += best == data.test.labels[static_cast<std::size_t>(i)];
  }
  const double accuracy = static_cast<double>(right) / static_cast<double>(data.test.size());
  CAPTURE(accuracy);
  CHECK(accuracy > 0.60);
  CHECK(accuracy < 0.90);
}
