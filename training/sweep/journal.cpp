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
// The file: kMagic, then for each point a head and a frame. The head: the length of the frame (8 bytes), 64 digits of
// the SHA-256 of the frame, 64 digits of that of the head so far. The frame: 64 digits of the point's key, the bytes of
// its record. Files of kOld have heads without a digest of their own, and are gone on with as they are.
constexpr std::string_view kMagic = "lightloop sweep parts 2\n", kOld = "lightloop sweep parts 1\n";
constexpr std::size_t kDigits = 64;
std::size_t head_size(bool old) { return sizeof(std::uint64_t) + (old ? 1 : 2) * kDigits; }

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

struct JournalFrame {
  bool whole_head = false;         ///< as it was written, as far as the file can tell
  std::uint64_t size = 0;          ///< of the frame
  std::string_view digest, bytes;  ///< `bytes` may be fewer than `size` at the end of the file
};

/// What `rest` begins with, which is no shorter than the head.
JournalFrame frame_at(std::string_view rest, std::size_t head) {
  JournalFrame frame;
  std::memcpy(&frame.size, rest.data(), sizeof frame.size);
  frame.digest = rest.substr(sizeof frame.size, kDigits);
  const std::size_t told = sizeof frame.size + kDigits;
  frame.whole_head = head == told || sha256(rest.substr(0, told)) == rest.substr(told, kDigits);
  frame.bytes = rest.substr(head, frame.size);
  return frame;
}

/// Whether what is no whole point can be what a process or a power cut left at the end of the file: a part of a head or
/// of a frame, a last frame with parts that never reached the disk, or nothing but zeros.
bool torn(std::string_view rest, std::size_t head) {
  if (rest.size() < head || rest.find_first_not_of('\0') == rest.npos) return true;
  const JournalFrame frame = frame_at(rest, head);
  if (!frame.whole_head) return rest.find_first_not_of('\0', head) == rest.npos;
  return frame.size >= kDigits && frame.size >= rest.size() - head;
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
  if (kMagic.starts_with(all) ||
      (all.size() < kOld.size() && kOld.starts_with(all))) {  // new, or killed at the very first write
    if (::ftruncate(descriptor_, 0) != 0) throw FileError("cannot write " + path_, std::strerror(errno));
    return write(kMagic.data(), kMagic.size());
  }
  old_ = all.starts_with(kOld);
  if (!old_ && !all.starts_with(kMagic))
    throw FileError(path_, "does not hold the points of an unfinished sweep", "",
                    "Remove it, or choose another `out`.");
  std::size_t good = kMagic.size();
  const std::size_t head = head_size(old_);
  while (all.size() - good >= head) {
    const JournalFrame frame = frame_at(std::string_view(all).substr(good), head);
    const bool whole = frame.whole_head && frame.size >= kDigits && frame.bytes.size() == frame.size;
    if (!whole || sha256(frame.bytes) != frame.digest) break;
    records_[std::string(frame.bytes.substr(0, kDigits))] = record_from(bytes_of(frame.bytes.substr(kDigits)));
    good += head + frame.bytes.size();
  }
  if (!torn(std::string_view(all).substr(good), head)) refuse_damage(good);
  if (::ftruncate(descriptor_, static_cast<off_t>(good)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0)
    throw FileError("cannot write " + path_, std::strerror(errno));
}

void Journal::refuse_damage(std::size_t good) const {
  const std::string bytes = std::to_string(good);
  throw FileError(path_, "damaged after byte " + bytes + ", maybe with more points behind", "",
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
  whole += sha256(frame);
  if (!old_) whole += sha256(whole);
  whole += frame;
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
