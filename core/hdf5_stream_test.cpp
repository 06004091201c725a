#include "core/hdf5_stream.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "core/temporary_folder_for_tests.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {
const std::vector<h5::Column> kColumns = {{"/loss", h5::Column::Kind::float64, {}, "1"},
                                          {"/device/codes", h5::Column::Kind::uint8, {4, 8}, ""},
                                          {"/weights", h5::Column::Kind::float32, {3}, "1"},
                                          {"/frame", h5::Column::Kind::int64, {}, "1"}};

/// Row i holds numbers that only row i holds.
void append_row(h5::Appender& stream, Index i) {
  const std::vector<double> loss = {static_cast<double>(i)};
  const std::vector<std::uint8_t> codes(32, static_cast<std::uint8_t>(i % 251));
  const std::vector<float> weights(3, static_cast<float>(i) + 0.5f);
  const std::vector<std::int64_t> frame = {1000 + i};
  stream.put(0, loss);
  stream.put(1, codes);
  stream.put(2, weights);
  stream.put(3, frame);
  stream.end_row();
}

/// Checks the first `rows` rows of every column.
void check_rows(const std::string& path, Index rows) {
  const h5::Reader file(path);
  const auto loss = file.read("/loss"), codes = file.read("/device/codes"), weights = file.read("/weights"),
             frame = file.read("/frame");
  REQUIRE(loss.shape[0] >= rows);
  REQUIRE(codes.shape[0] >= rows);
  REQUIRE(weights.shape[0] >= rows);
  REQUIRE(frame.shape[0] >= rows);
  Index wrong = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
    const auto number = static_cast<double>(i);
    wrong += loss.values[i] != number;
    wrong += codes.values[32 * i] != static_cast<double>(i % 251) || codes.values[32 * i + 31] != codes.values[32 * i];
    wrong += weights.values[3 * i + 2] != number + 0.5;
    wrong += frame.values[i] != number + 1000;
  }
  CHECK(wrong == 0);
}
}  // namespace

TEST_CASE("stream: rows appended are read back, attributes and units too") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  h5::Appender stream(path, kColumns, 16, {{"kind", "recording"}, {"format_version", std::int64_t{1}}});
  for (Index i = 0; i < 40; ++i) append_row(stream, i);
  CHECK(stream.rows() == 40);
  CHECK(stream.acknowledged() == 32);
  stream.flush();
  CHECK(stream.acknowledged() == 40);
  for (Index i = 40; i < 50; ++i) append_row(stream, i);
  CHECK(stream.acknowledged() == 48);
  stream.close();
  check_rows(path, 50);
  const h5::Reader file(path);
  CHECK(file.shape("/device/codes") == std::vector<Index>{50, 4, 8});
  CHECK(file.attribute("/", "kind") == Value("recording"));
  CHECK(file.unit("/loss") == "1");
  CHECK(folder.files() == 1);
  CHECK(fs::file_size(path) < 50 * 56 + 20'000);  // nothing reserved is left
  CHECK(h5::recover(path) == 50);
}

TEST_CASE("stream: after kill -9 every acknowledged row is readable and recover makes the file plain") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  for (const int rows_per_chunk : {1, 10, 64}) {
    for (const int delay_us : {3'000, 8'000, 20'000, 45'000}) {
      CAPTURE(rows_per_chunk, delay_us);
      int link[2];
      REQUIRE(::pipe(link) == 0);
      const pid_t child = ::fork();
      if (child == 0) {
        h5::Appender stream(path, kColumns, rows_per_chunk, {{"kind", "recording"}});
        for (Index i = 0;; ++i) {
          append_row(stream, i);
          const Index acknowledged = stream.acknowledged();
          if (::write(link[1], &acknowledged, sizeof acknowledged) < 0) ::_exit(1);
        }
      }
      ::close(link[1]);
      Index acknowledged = 0, last = 0;
      while (acknowledged == 0 && ::read(link[0], &last, sizeof last) == sizeof last) acknowledged = last;
      std::thread reaper([&] {
        ::usleep(static_cast<useconds_t>(delay_us));
        ::kill(child, SIGKILL);
      });
      while (::read(link[0], &last, sizeof last) == sizeof last) acknowledged = last;
      reaper.join();
      ::close(link[0]);
      ::waitpid(child, nullptr, 0);
      REQUIRE(acknowledged > 0);
      check_rows(path, acknowledged);
      const Index rows = h5::recover(path);
      CHECK(rows >= acknowledged);
      check_rows(path, rows);
      CHECK(h5::Reader(path).shape("/loss") == std::vector<Index>{rows});
      CHECK(h5::Reader(path).attribute("/", "kind") == Value("recording"));
      CHECK(h5::Reader(path).unit("/weights") == "1");
      CHECK(h5::recover(path) == rows);

      auto stream = h5::Appender::resume(path, kColumns, rows / 2);
      for (Index i = rows / 2; i < rows + 20; ++i) append_row(stream, i);
      stream.close();
      check_rows(path, rows + 20);
      CHECK(h5::Reader(path).shape("/weights")[0] == rows + 20);
      CHECK(folder.files() == 1);
    }
  }
}

TEST_CASE("stream: others read while it grows") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  h5::Appender stream(path, kColumns, 8);
  for (Index i = 0; i < 20; ++i) append_row(stream, i);
  int state = 1;
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = h5::Reader(path).read("/loss").values.size() == 16;
    } catch (const Error&) {
    }
    ::_exit(good ? 0 : 1);
  }
  ::waitpid(child, &state, 0);
  CHECK(state == 0);
}

TEST_CASE("stream: a full disk is a FileError and what was acknowledged stays") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  Index acknowledged = 0;
  {
    const test::FileLimit limit(1'000'000);
    h5::Appender stream(path, kColumns, 32);
    const auto fill = [&] {
      for (Index i = 0; i < 100'000; ++i) append_row(stream, i);
    };
    CHECK_THROWS_WITH(fill(), Contains(path) && Contains("File too large"));
    acknowledged = stream.acknowledged();
    CHECK_THROWS_WITH(stream.flush(), Contains("an earlier write failed"));
    stream.close();
  }
  CHECK(acknowledged > 1000);
  check_rows(path, acknowledged);
  CHECK(h5::Reader(path).shape("/loss")[0] == acknowledged);
  CHECK_THROWS_AS(h5::Appender(folder.path + "/none/a.h5", kColumns, 8), FileError);
}

TEST_CASE("stream: rows of the wrong shape or kind and files of another layout are refused") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  h5::Appender stream(path, kColumns, 8);
  CHECK_THROWS_AS(stream.put(2, std::vector<float>(4)), ShapeMismatch);
  CHECK_THROWS_AS(stream.put(2, std::vector<double>(3)), InvalidParameter);
  CHECK_THROWS_AS(stream.put(4, std::vector<double>(1)), OutOfRange);
  append_row(stream, 0);
  stream.end_row();  // nothing put: zeros
  stream.close();
  CHECK(h5::Reader(path).read("/frame").values == std::vector<double>{1000, 0});
  auto other = kColumns;
  other[2].shape = {5};
  CHECK_THROWS_WITH(h5::Appender::resume(path, other, 1), Contains("other rows"));
  CHECK_THROWS_WITH(h5::Appender::resume(path, kColumns, 3), Contains("2 rows"));
  CHECK_THROWS_AS(h5::Appender(path, {}, 8), InvalidParameter);
  CHECK_THROWS_AS(h5::Appender(path, kColumns, 0), OutOfRange);
  CHECK_THROWS_AS(h5::recover(folder.path + "/none.h5"), FileError);
}
