#include "core/file_lock.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

TEST_CASE("file lock: one holder at a time, in this process too, and nothing is left behind") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  {
    const FileLock lock(path);
    CHECK_THROWS_WITH(FileLock(path), Contains("run.h5") && Contains("process " + std::to_string(::getpid())));
    CHECK_NOTHROW(FileLock(folder / "other.h5"));
    CHECK(folder.files() == 1);
  }
  CHECK(folder.files() == 0);
  CHECK_NOTHROW(FileLock(path));
  CHECK_THROWS_AS(FileLock(folder / "none/run.h5"), FileError);
}

TEST_CASE("file lock: a killed holder keeps nobody out, though its file stays") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock(path);
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_WITH(FileLock(path), Contains("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(folder.files() == 1);
  { CHECK_NOTHROW(FileLock(path)); }
  CHECK(folder.files() == 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("file lock: a full disk does not keep anybody from holding a lock") {
  const test::TemporaryFolder folder;
  const test::FileLimit limit(0);
  const FileLock lock(folder / "run.h5");
  CHECK_THROWS_AS(FileLock(folder / "run.h5"), FileError);
}
