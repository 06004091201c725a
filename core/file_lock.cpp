#include "core/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.hpp"
#include "core/file.hpp"

namespace lightloop {
namespace {

/// Whether `name` still is the file that was opened: who had the lock before us may have removed it since.
bool is_named(int descriptor, const std::string& name) {
  struct stat ours {
  }, there{};
  return ::fstat(descriptor, &ours) == 0 && ::stat(name.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

/// " (process 123)", as far as the holder wrote it down.
std::string holder(int descriptor) {
  char number[16] = {};
  const auto count = ::pread(descriptor, number, sizeof number - 1, 0);
  return count > 0 ? " (process " + std::string(number, static_cast<std::size_t>(count)) + ")" : "";
}

int lock_now(int descriptor) {
  int result = 0;
  do result = ::flock(descriptor, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

FileLock::FileLock(const std::string& path) : name_(path + ".lock") {
  check_writable(path);
  for (;;) {
    descriptor_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      throw FileError("cannot write " + name_, std::strerror(errno), "",
                      "Check that the folder exists and may be written to.");
    if (lock_now(descriptor_) != 0 && errno == EWOULDBLOCK) {
      const std::string who = holder(descriptor_);
      ::close(descriptor_);
      throw FileError(path, "another program is writing it" + who, "", "Wait until it has ended, or write elsewhere.");
    }
    if (is_named(descriptor_, name_)) break;
    ::close(descriptor_);
  }
  const std::string number = std::to_string(::getpid());
  // only for the message of others: a full disk must not keep anybody from holding a lock
  [[maybe_unused]] const bool told =
      ::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, number.data(), number.size(), 0) > 0;
}

FileLock::~FileLock() {
  ::unlink(name_.c_str());
  ::close(descriptor_);
}

}  // namespace lightloop
