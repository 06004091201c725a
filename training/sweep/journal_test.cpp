#include "training/sweep/journal.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"
#include "core/temporary_folder_for_tests.hpp"

using namespace lightloop;
using namespace lightloop::sweeps;
using lightloop::test::TemporaryFolder;

namespace {
Record record_of(double value) {
  Metric metric;
  metric.value = value;
  metric.convention = "a convention";
  Record record;
  record.add("power", metric);
  record.values[0].coordinates["line"] = {Value(std::int64_t{1}), Value(2.5), Value(std::string("x")), Value(true)};
  return record;
}
std::string key(char digit) { return std::string(64, digit); }
/// What a journal of the points of these keys holds.
std::string journal_of(const std::string& path, const std::string& digits) {
  {
    Journal journal(path);
    for (std::size_t i = 0; i < digits.size(); ++i) journal.add(key(digits[i]), record_of(static_cast<double>(i + 1)));
  }
  return read_file(path);
}
}  // namespace

TEST_CASE("sweep journal: a point that was not written whole does not count, and the next one takes its place") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.h5.parts";
  const std::string whole = journal_of(path, "ab");
  for (const std::size_t lost : {1u, 40u, 200u}) {
    write_file(path, whole.substr(0, whole.size() - lost));
    Journal journal(path);
    CHECK(journal.records().size() == 1);
    journal.add(key('c'), record_of(3));
    const Journal again(path);
    REQUIRE(again.records().size() == 2);
    const Record& kept = again.records().at(key('c'));
    CHECK(kept.find("power")->at(0) == 3);
    CHECK(kept.find("power")->long_name == "a convention");
    CHECK(kept.find("power")->coordinates.at("line").size() == 4);
  }
  std::string damaged = whole;
  damaged[damaged.size() - 3] ^= 1;
  write_file(path, damaged);
  CHECK(Journal(path).records().size() == 1);
}

TEST_CASE("sweep journal: a file that is something else is refused") {
  const TemporaryFolder folder;
  write_file(folder.path + "/s.h5.parts", "something else");
  CHECK_THROWS_AS(Journal(folder.path + "/s.h5.parts"), FileError);
}

TEST_CASE("sweep journal: what was torn in the very first write is begun again") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.h5.parts";
  write_file(path, "lightloop swe");
  Journal(path).add(key('a'), record_of(1));
  CHECK(Journal(path).records().size() == 1);
}

TEST_CASE("sweep journal: damage with whole points behind it is refused and nothing is cut, zeros at the end are cut") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.h5.parts";
  const std::string whole = journal_of(path, "ab");
  std::string damaged = whole;
  damaged[whole.find(key('a')) + 70] ^= 1;
  write_file(path, damaged);
  CHECK_THROWS_AS(Journal(path), FileError);
  CHECK(read_file(path) == damaged);
  write_file(path, whole + std::string(5000, '\0'));
  CHECK(Journal(path).records().size() == 2);
  CHECK(read_file(path) == whole);
}

TEST_CASE("sweep journal: a damaged head with whole points behind it is refused and nothing is cut") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.h5.parts";
  const std::string whole = journal_of(path, "abc");
  const std::size_t head = whole.find(key('b')) - (8 + 2 * 64);
  for (const std::size_t byte : {0u, 1u, 5u, 7u, 20u, 100u}) {  // of the length, of either digest
    std::string damaged = whole;
    damaged[head + byte] ^= 0x40;
    write_file(path, damaged);
    CHECK_THROWS_AS(Journal(path), FileError);
    CHECK(read_file(path) == damaged);
  }
  write_file(path, whole.substr(0, head + 50) + std::string(3000, '\0'));  // a head that reached the disk in part
  CHECK(Journal(path).records().size() == 1);
  CHECK(read_file(path) == whole.substr(0, head));
}

TEST_CASE("sweep journal: a file of the first format is read and gone on with") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/s.h5.parts";
  const auto point = [](char digit, double value) {
    const auto bytes = to_bytes(record_of(value));
    const std::string frame = key(digit) + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::uint64_t size = frame.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + sha256(frame) + frame;
  };
  const std::string old = "lightloop sweep parts 1\n" + point('a', 1) + point('b', 2);
  write_file(path, old + point('c', 3).substr(0, 90));
  {
    Journal journal(path);
    CHECK(journal.records().size() == 2);
    journal.add(key('c'), record_of(3));
  }
  CHECK(read_file(path) == old + point('c', 3));
  CHECK(Journal(path).records().at(key('c')).find("power")->at(0) == 3);
}

TEST_CASE("sweep record: a shape that its bytes cannot have is refused") {
  Record record = record_of(1);
  Variable& v = record.values[0];
  v.dims = {"a", "b", "c"};
  v.shape = {2, 0, 3};
  v.bytes.clear();
  CHECK(record_from(to_bytes(record)).values[0].shape == v.shape);
  const Index big = Index{1} << 32;
  for (const std::vector<Index>& shape : {std::vector<Index>{-1, -1, 1}, {big, big, 1}, {big, big, 0}, {1, 1, 2}}) {
    v.shape = shape;
    CHECK_THROWS_AS(record_from(to_bytes(record)), InvalidParameter);
  }
}
