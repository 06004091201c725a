#pragma once
// The input of a fuzz target as a script: it is asked for small decisions, and answers 0 when it is used up.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

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

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace lightloop::fuzz
