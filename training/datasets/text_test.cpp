// Texts, the generated sets beside the digits, real targets from files.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/datasets/generated.hpp"
#include "training/datasets/readers.hpp"
#include "training/datasets/test_files.hpp"
#include "training/evaluate.hpp"
#include "training/metrics/roc.hpp"

using namespace lightloop;
using namespace lightloop::test;
using Catch::Contains;

namespace {

TrainTest text_of(const std::string& content, Index tokens) {
  const Folder folder;
  write_file(folder / "a.txt", content);
  return load_dataset(folder / ("a.txt:" + std::to_string(tokens)), "", 0);
}

}  // namespace

TEST_CASE("a text becomes windows of codes, each with the next character as its target") {
  const TrainTest both = text_of("hello world, hello light, hello world, hi", 2);
  CHECK(both.train.alphabet == " ,deghilortw");
  CHECK(both.train.classes == 12);
  CHECK(both.train.targets == 2);
  CHECK(both.train.size() == 18);  // 37 characters, the last one a target only
  CHECK(both.test.size() == 1);
  CHECK(both.train.counted() == 36);
  CHECK(both.train.labels[0] == both.train.bytes(0, 1));
  CHECK(both.train.labels[1] == both.train.bytes(1, 0));
  Matrix<float> x(1, 2);
  const std::uint32_t first[] = {0};
  both.train.gather(first, x);
  CHECK(x(0, 0) == 5.0f);  // the code itself, not / 255
  check_data(both.train);
}

TEST_CASE("a guess by frequency costs what the counts say, with one added to each") {
  const TrainTest both = text_of(std::string(18, 'a').append("ab"), 1);  // 17 targets, all of them a
  REQUIRE(both.test.labels == std::vector<std::uint8_t>{1});
  CHECK(both.test.yardstick.value == Approx(-std::log2(1.0 / 19)));
}

TEST_CASE("texts that are too short, windows that make no sense and foreign characters are refused by name") {
  CHECK_THROWS_WITH(text_of("hello world", 8), Contains("too few") && Contains("a.txt"));
  CHECK_THROWS_WITH(text_of("hello world", 0), Contains("1 to 65536"));
  CHECK_THROWS_WITH(text_of(std::string(50, 'a'), 1), Contains("one character only"));
  CHECK_THROWS_WITH(load_dataset("shakespeare:x", "", 0), Contains("shakespeare:64"));
  ::unsetenv("LIGHTLOOP_DATA");  // the real text may be there
  CHECK_THROWS_WITH(load_dataset("shakespeare", "/nowhere", 0), Contains("lightloop data download shakespeare"));
  TrainTest both = text_of("abcabcabcabcabcabcabcabcabc", 1);
  Dataset text = both.test;
  recode(text, "xcba");
  CHECK(text.classes == 4);
  for (std::size_t i = 0; i < text.labels.size(); ++i) CHECK(text.labels[i] == 3 - both.test.labels[i]);
  CHECK_THROWS_WITH(recode(both.test, "ab"), Contains("99 (c)"));
}

TEST_CASE("generated clicks and pictures: equal seeds give equal bits, a sample does not know how many there are") {
  const TrainTest few = make_clicks(3, 50, 20), many = make_clicks(3, 80, 20), other = make_clicks(4, 50, 20);
  CHECK(few.test.content_sha256() == many.test.content_sha256());
  CHECK(std::equal(few.train.bytes.data(), few.train.bytes.data() + few.train.bytes.size(), many.train.bytes.data()));
  CHECK(few.train.content_sha256() != other.train.content_sha256());
  CHECK(few.train.content_sha256() != few.test.content_sha256());
  for (Index i = 0; i < few.train.size(); ++i)
    for (Index f = 0; f < 6; ++f) CHECK(few.train.bytes(i, f) / 40 == f);
  const TrainTest picture = make_picture(3, 9);
  CHECK(picture.train.size() == 41);
  CHECK(picture.test.size() == 40);
  CHECK(picture.train.content_sha256() == make_picture(3, 9).train.content_sha256());
  for (const float v : picture.train.values.flat()) CHECK((v >= 0 && v <= 1));
  check_data(picture.train);
}

TEST_CASE("datasets: columns of y in an HDF5 file are real targets, split and hashed with their samples") {
  const Folder folder;
  std::vector<float> x(24), y(24);
  for (std::size_t i = 0; i < 24; ++i) y[i] = 0.5f * (x[i] = static_cast<float>(i));
  const auto store = [&](const std::string& name, const std::vector<Index>& shape) {
    h5::Writer file(folder / name);
    file.write("/x", std::span<const float>(x), {12, 2}, "1");
    file.write("/y", std::span<const float>(y).first(static_cast<std::size_t>(shape[0] * shape[1])), shape, "1");
    file.commit();
  };
  store("real.h5", {12, 2});
  const TrainTest both = load_dataset(folder / "real.h5", "", 0);
  CHECK(both.train.size() == 10);
  CHECK(both.test.values.rows() == 2);
  CHECK(both.test.values(1, 1) == 11.5f);
  CHECK(both.train.classes == 2);
  Dataset changed = both.test;
  changed.values(0, 0) += 1;
  CHECK(changed.content_sha256() != both.test.content_sha256());
  for (float& v : y) v = std::floor(v);
  store("labels.h5", {12, 1});  // one column of whole numbers
  CHECK(load_dataset(folder / "labels.h5", "", 0).train.values.size() == 0);
  y[3] = NAN;
  store("nan.h5", {12, 2});
  CHECK_THROWS_WITH(load_dataset(folder / "nan.h5", "", 0), Contains("not finite") && Contains("/y"));
  store("short.h5", {11, 2});
  CHECK_THROWS_WITH(load_dataset(folder / "short.h5", "", 0), Contains("12 samples"));
}

TEST_CASE("the area under the ROC curve counts pairs, ties by half") {
  const auto area = [](std::vector<ScoredSample> all) { return area_under_roc(std::move(all)); };
  CHECK(area({{0, false}, {1, true}, {2, false}, {2, true}, {3, true}}) == Approx((1 + 1.5 + 2) / 6.0));
  CHECK(area({{1, false}, {2, true}}) == 1);
  CHECK(area({{2, false}, {1, true}}) == 0);
  CHECK(std::isnan(area({{2, true}, {1, true}})));
  constexpr float infinite = std::numeric_limits<float>::infinity();
  CHECK(std::isnan(area({{2, true}, {infinite - infinite, false}, {1, false}})));
  CHECK(area({{infinite, true}, {-infinite, false}}) == 1);
}
