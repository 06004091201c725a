#include "core/file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"

namespace lightloop {
namespace {
namespace fs = std::filesystem;

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

[[noreturn]] void cannot_write(const std::string& path, int error) {
  throw FileError("cannot write " + path, std::strerror(error), "",
                  error == ENOSPC || error == EFBIG ? "Free some space or write elsewhere."
                                                    : "Check that the folder exists and may be written to.");
}

/// Removes a file unless it was kept.
struct Removal {
  const std::string& path;
  bool kept = false;
  ~Removal() {
    if (!kept) ::unlink(path.c_str());
  }
};
}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  std::string content;
  std::size_t size = 0;
  while (file) {
    content.resize(size < (1 << 16) ? (1 << 16) : 2 * size);
    const auto count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    size += static_cast<std::size_t>(count);
    content.resize(size);
    if (count == 0) return content;
  }
  throw FileError("cannot read " + path, std::strerror(errno), "", "Check the path.");
}

void check_writable(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::none) cannot_write(path, error.value());
  if (fs::is_directory(status)) cannot_write(path, EISDIR);
  if (::access(folder_of(path).c_str(), W_OK | X_OK) != 0) cannot_write(path, errno);
}

std::string temporary_name(const std::string& path) { return path + ".tmp-" + std::to_string(::getpid()); }

void remove_stale_temporaries(const std::string& path) {
  const auto head = fs::path(path).filename().string() + ".tmp-";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(path), ignored)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(head)) continue;
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(name.data() + head.size(), name.data() + name.size(), pid);
    if (error != std::errc{} || stop != name.data() + name.size() || pid <= 0) continue;
    if (::kill(pid, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), ignored);
  }
}

void publish_file(const std::string& temporary, const std::string& path) {
  Removal removal{temporary};
  {
    const Descriptor file(temporary, O_RDONLY);
    if (!file || ::fsync(file.get()) != 0) cannot_write(path, errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) cannot_write(path, errno);
  removal.kept = true;
  const Descriptor folder(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (folder) ::fsync(folder.get());  // some file systems refuse this for a folder; the file itself is safe by now
}

void write_file(const std::string& path, std::string_view content) {
  remove_stale_temporaries(path);
  const auto temporary = temporary_name(path);
  Removal removal{temporary};
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file) cannot_write(path, errno);
    while (!content.empty()) {
      const auto count = ::write(file.get(), content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) cannot_write(path, errno);
      content.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  removal.kept = true;  // publish_file takes over
  publish_file(temporary, path);
}

}  // namespace lightloop
