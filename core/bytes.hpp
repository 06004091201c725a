#pragma once
// Snapshots as bytes: plain values one after the other, in the order written.
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"

namespace lightloop {

class ByteWriter {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { put_all(std::span<const T>(&value, 1)); }
  /// The values only; the reader must know how many.
  template <class T>
  void put_all(std::span<const T> values) {
    const std::size_t before = bytes_.size();
    bytes_.resize(before + values.size_bytes());
    if (!values.empty()) std::memcpy(bytes_.data() + before, values.data(), values.size_bytes());
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what a ByteWriter wrote. Throws InvalidParameter naming `what` when there are too few bytes, and in done()
/// when some are left over.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string what) : bytes_(bytes), what_(std::move(what)) {}
  template <class T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value;
    get_all(std::span<T>(&value, 1));
    return value;
  }
  template <class T>
  void get_all(std::span<T> values) {
    const auto from = take(values.size_bytes());
    if (!from.empty()) std::memcpy(values.data(), from.data(), from.size());
  }
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size()) refuse(std::to_string(count - bytes_.size()) + " bytes too short");
    const auto head = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return head;
  }
  std::size_t left() const { return bytes_.size(); }
  void done() const {
    if (!bytes_.empty()) refuse(std::to_string(bytes_.size()) + " bytes too long");
  }
  [[noreturn]] void refuse(const std::string& why) const {
    throw InvalidParameter(what_, why, "the bytes of a snapshot() of the same device and settings",
                           "Restore it into what it was taken from.");
  }

 private:
  std::span<const std::byte> bytes_;
  std::string what_;
};

}  // namespace lightloop
