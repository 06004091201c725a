#pragma once
// One writer per file.
#include <string>

namespace lightloop {

/// Holds PATH against every other FileLock, in this process or another, while it lives.
///
/// The lock is flock() on PATH.lock, which appears beside PATH and goes with the lock. A program that is killed leaves
/// that file behind but not the lock: the next one takes it over. On file systems without locks nothing is held.
class FileLock {
 public:
  /// Throws FileError at once when somebody holds PATH, or when its folder cannot be written to.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace lightloop
