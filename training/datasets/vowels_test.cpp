// Vowels from files as they are published, whole and damaged.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <set>

#include "core/error.hpp"
#include "training/datasets/readers.hpp"
#include "training/datasets/test_files.hpp"

using namespace lightloop;

namespace {

const std::vector<std::string> kVowels = {"ae", "ah", "aw", "uw", "er", "iy", "ih"};

/// A table like vowdata.dat: a head, women from 51 on, whom the published choice does not know (the first cannot be
/// measured), men, other vowels.
std::string table(int women, const char* spoilt = "") {
  std::string text = "(c) 1995\n\ncol1: filename\nwomen\n";
  for (const char* vowel : {"ae", "ah", "aw", "uw", "er", "iy", "ih", "oa"})
    for (int i = 1; i <= women; ++i) {
      const std::string number = std::to_string(50 + i);
      std::string values = " 250 200";
      for (int k = 0; k < 13; ++k)
        values += " " + std::to_string(i == 1 && k == 5 ? 0 : 500 + 10 * i + k * 100 + vowel[1]);
      text += "w" + number + vowel + values + "\nm" + number + vowel + " 1 2\n";
    }
  return text + spoilt;
}

TrainTest read(const std::string& text, std::uint64_t seed = 1) {
  const test::Folder folder;
  std::ofstream(folder / "vowdata.dat") << text;
  return read_vowels(folder / "vowdata.dat", seed);
}

std::string utterances(int count) {
  std::string text;
  for (int u = 0; u < count; ++u) {
    for (int f = 0; f < 7 + u % 3; ++f) {
      for (int c = 0; c < 12; ++c) text += std::to_string(0.01 * (u % 30) + 0.1 * c + 0.001 * f) + " ";
      text += "\r\n";
    }
    for (int c = 0; c < 12; ++c) text += "1.0 ";
    text += "\r\n";
  }
  return text;
}

}  // namespace

TEST_CASE("vowels are 30 + 7 of each, blank where the label goes, of mean 0 and deviation 1") {
  const TrainTest both = read(table(38));
  REQUIRE(both.train.size() == 210);
  REQUIRE(both.test.size() == 49);
  CHECK(both.train.features() == 19);
  CHECK(both.train.classes == 7);
  for (Index j = 0; j < 19; ++j) {
    double mean = 0, square = 0;
    for (Index r = 0; r < 210; ++r) {
      mean += static_cast<double>(both.train.floats(r, j)) / 210;
      square += std::pow(static_cast<double>(both.train.floats(r, j)), 2) / 210;
    }
    CHECK(mean == Approx(0).margin(1e-5));
    CHECK(square == Approx(j < 7 ? 0 : 1).margin(1e-5));
  }
  for (std::uint8_t v = 0; v < 7; ++v) CHECK(std::ranges::count(both.test.labels, v) == 7);
}

TEST_CASE("the seed splits the vowels, and no sample is on both sides") {
  const TrainTest a = read(table(38), 1), b = read(table(38), 1), c = read(table(38), 2);
  CHECK(a.train.content_sha256() == b.train.content_sha256());
  CHECK(a.train.content_sha256() != c.train.content_sha256());
  std::set<std::vector<float>> rows;
  for (const Dataset* set : {&a.train, &a.test})
    for (Index r = 0; r < set->size(); ++r) {
      std::vector<float> row(set->floats.row(r).begin(), set->floats.row(r).end());
      row.push_back(static_cast<float>(set->labels[static_cast<std::size_t>(r)]));
      rows.insert(row);
    }
  CHECK(rows.size() == 259);
}

TEST_CASE("a table of vowels that is cut or spoilt is refused") {
  CHECK_THROWS_WITH(read(table(37)), Catch::Contains("36 women chosen say \"ae\""));
  CHECK_THROWS_WITH(read("w01ae 1 2 x\n" + table(38)), Catch::Contains("vowdata.dat:1"));
  CHECK_THROWS_WITH(read(table(39)), Catch::Contains("38 women chosen"));
  CHECK_THROWS_AS(read(""), FileError);
}

TEST_CASE("of the women in the table of 1995 the published 37 are taken for every vowel") {
  // The women of that table are 1 to 50 without 18 and 43; these of them could not be measured:
  const std::vector<std::set<int>> unmeasured = {
      {39}, {49}, {40, 41}, {}, {3, 6, 8, 20, 21, 30, 32, 39, 41, 42, 44}, {25, 28, 38, 39, 47}, {}};
  const auto all_but_changed = [&](const std::string& changed) {
    std::string text;
    for (std::size_t v = 0; v < kVowels.size(); ++v)
      for (int i = 1; i <= 50; ++i) {
        if (i == 18 || i == 43) continue;
        const std::string name = (i < 10 ? "w0" : "w") + std::to_string(i) + kVowels[v];
        text += name + " 250 200";
        for (int k = 0; k < 13; ++k)
          text += unmeasured[v].contains(i) ? " 0" : " " + std::to_string(500 + i + (name == changed ? 100 : 0));
        text += "\n";
      }
    return read(text).train.content_sha256() + read(text).test.content_sha256();
  };
  const std::string whole = all_but_changed("");  // 37 each, or the table would be refused
  for (const char* left_out : {"w04ae", "w47ae", "w40ah", "w50aw", "w02uw", "w26iy", "w49ih"})
    CHECK(all_but_changed(left_out) == whole);
  for (const char* chosen : {"w01ae", "w49ae", "w50ah", "w48aw", "w49uw", "w27er", "w46iy", "w50ih"})
    CHECK(all_but_changed(chosen) != whole);
}

TEST_CASE("utterances become means over their thirds, and broken ones are refused") {
  const test::Folder folder;
  const auto write = [&](const char* name, const std::string& text) { std::ofstream(folder / name) << text; };
  write("ae.train", utterances(270));
  write("ae.test", utterances(370));
  const TrainTest both = japanese_vowels_data(folder / "ae.train", folder / "ae.test");
  CHECK(both.train.size() == 270);
  CHECK(both.test.size() == 370);
  CHECK(both.train.features() == 9 + 36);
  CHECK(both.test.labels.back() == 8);
  CHECK(both.test.labels[31] == 1);
  const std::vector<Utterance> raw = read_utterances(folder / "ae.train");
  CHECK(raw[1].size() == 8);
  CHECK(raw[1][2][3] == Approx(0.312));
  write("short.train", utterances(269));
  CHECK_THROWS_WITH(japanese_vowels_data(folder / "short.train", folder / "ae.test"), Catch::Contains("269"));
  write("bad.train", "1 2 3\n");
  CHECK_THROWS_WITH(read_utterances(folder / "bad.train"), Catch::Contains("line 1"));
  write("bad.train", utterances(1) + "0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 nan\n");
  CHECK_THROWS_AS(read_utterances(folder / "bad.train"), FileError);
  write("bad.train", "1e300 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1\n");  // a float holds no such mean
  CHECK_THROWS_AS(read_utterances(folder / "bad.train"), FileError);
}
