#include "core/file.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/error.hpp"
#include "core/temporary_folder_for_tests.hpp"

using namespace lightloop;
namespace fs = std::filesystem;

TEST_CASE("file: what was written is read back, and replaces what was there") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.txt";
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{1} << 16, std::size_t{300'001}}) {
    const std::string content(size, 'q');
    write_file(path, content);
    CHECK(read_file(path) == content);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("file: a failed write names the file and leaves nothing behind") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(write_file(folder.path + "/none/a.txt", "x"), Catch::Matchers::Contains("/none/a.txt"));
  fs::create_directory(folder.path + "/taken");
  CHECK_THROWS_AS(write_file(folder.path + "/taken", "x"), FileError);
  CHECK_THROWS_AS(check_writable(folder.path + "/taken"), FileError);
  CHECK_THROWS_AS(check_writable(folder.path + "/none/a.txt"), FileError);
  CHECK_NOTHROW(check_writable(folder.path + "/a.txt"));
  CHECK(folder.files() == 1);
  CHECK_THROWS_WITH(read_file(folder.path + "/b"), Catch::Matchers::Contains("No such file"));
  CHECK_THROWS_AS(read_file(folder.path), FileError);
}

TEST_CASE("file: temporaries of dead processes go, those of living ones stay") {
  const test::TemporaryFolder folder;
  const auto path = folder.path + "/a.h5";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  const auto dead = path + ".tmp-" + std::to_string(child), living = path + ".tmp-" + std::to_string(::getppid());
  write_file(dead, "x");
  write_file(living, "x");
  write_file(path + ".tmp-note", "x");
  remove_stale_temporaries(path);
  CHECK_FALSE(fs::exists(dead));
  CHECK(fs::exists(living));
  CHECK(fs::exists(path + ".tmp-note"));
}
