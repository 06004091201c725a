#include "training/sweep/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"

namespace lightloop::sweeps {
namespace {
// The file: kMagic, then for each point the length of a frame (8 bytes), 64 digits of the SHA-256 of the frame, and
// the frame: 64 digits of the point's key, the bytes of its record.
constexpr std::string_view kMagic = "lightloop sweep parts 1\n";
constexpr std::size_t kDigits = 64, kHead = sizeof(std::uint64_t) + kDigits;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
}  // namespace

Journal::Journal(std::string path) : path_(std::move(path)) {
  check_writable(path_);
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw FileError("cannot write " + path_, std::strerror(errno));
  try {
    load();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

Journal::~Journal() {
  if (descriptor_ < 0) return;
  ::fsync(descriptor_);
  ::close(descriptor_);
}

void Journal::load() {
  const std::string all = read_file(path_);
  if (kMagic.starts_with(all)) {  // new, or killed at the very first write
    if (::ftruncate(descriptor_, 0) != 0) throw FileError("cannot write " + path_, std::strerror(errno));
    return write(kMagic.data(), kMagic.size());
  }
  if (!all.starts_with(kMagic))
    throw FileError(path_, "does not hold the points of an unfinished sweep", "",
                    "Remove it, or choose another `out`.");
  std::size_t good = kMagic.size();
  while (all.size() - good >= kHead) {
    std::uint64_t size = 0;
    std::memcpy(&size, all.data() + good, sizeof size);
    const std::size_t left = all.size() - good - kHead;
    if (size > left) break;
    const std::string_view frame = std::string_view(all).substr(good + kHead, size);
    if (size < kDigits || sha256(frame) != std::string_view(all).substr(good + sizeof size, kDigits)) {
      // what a power cut leaves: a last frame, or nothing but zeros, up to the end
      if ((size >= kDigits && size == left) || all.find_first_not_of('\0', good) == all.npos) break;
      refuse_damage(good);
    }
    records_[std::string(frame.substr(0, kDigits))] = record_from(bytes_of(frame.substr(kDigits)));
    good += kHead + size;
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(good)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0)
    throw FileError("cannot write " + path_, std::strerror(errno));
}

void Journal::refuse_damage(std::size_t good) const {
  const std::string bytes = std::to_string(good);
  throw FileError(path_, "damaged after byte " + bytes + ", with more points behind", "",
                  "Remove it to measure all points again, or keep the " + std::to_string(records_.size()) +
                      " points before the damage with `truncate -s " + bytes + " " + path_ + "`.");
}

void Journal::write(const void* data, std::size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const auto count = ::write(descriptor_, next, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      throw FileError("cannot write " + path_, std::strerror(errno), "",
                      "Free some space: the same call then goes on.");
    next += count;
    size -= static_cast<std::size_t>(count);
  }
}

void Journal::add(const std::string& key, const Record& record) {
  const auto bytes = to_bytes(record);
  std::string frame = key;
  frame.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::uint64_t size = frame.size();
  std::string whole(reinterpret_cast<const char*>(&size), sizeof size);
  whole += sha256(frame) + frame;
  write(whole.data(), whole.size());
  if (now_s() - synced_s_ < 1) return;
  ::fsync(descriptor_);
  synced_s_ = now_s();
}

void Journal::remove() {
  ::close(std::exchange(descriptor_, -1));
  ::unlink(path_.c_str());
}

}  // namespace lightloop::sweeps
