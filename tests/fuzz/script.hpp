#pragma once
// What fuzz targets share: the input as a script, which is asked for small decisions and answers 0 when it is used up;
// a file of the process; calls that may be refused.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/param.hpp"

namespace lightloop::fuzz {

class Script {
 public:
  Script() = default;
  Script(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  /// Four times as many characters as the next byte says.
  std::string text() {
    const std::size_t n = std::min<std::size_t>(byte() * 4u, left_);
    std::string taken(reinterpret_cast<const char*>(data_), n);
    data_ += n;
    left_ -= n;
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    std::uint8_t bytes[sizeof(T)];
    for (std::uint8_t& one : bytes) one = byte();
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  /// Of any kind.
  Value value() {
    switch (byte() % 4) {
      case 0:
        return number<std::int64_t>();
      case 1:
        return number<double>();
      case 2:
        return text();
      default:
        return byte() % 2 == 0;
    }
  }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t left_ = 0;
};

/// In memory, one for each process and ending.
inline std::string scratch_file(const char* ending) {
  return "/dev/shm/lightloop_fuzz_" + std::to_string(::getpid()) + ending;
}

template <class Body>
void attempt(Body&& body) {
  try {
    body();
  } catch (const Error&) {
    // refused, as it should be
  }
}

}  // namespace lightloop::fuzz
