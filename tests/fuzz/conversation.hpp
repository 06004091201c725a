#pragma once
// A client's messages as one file: each with two bytes of length before it.
#include <cstdint>
#include <string>
#include <string_view>

namespace lightloop::fuzz {

inline void append(std::string& file, const std::string& message) {
  file += static_cast<char>(message.size() & 0xFF);
  file += static_cast<char>(message.size() >> 8 & 0xFF);
  file += message;
}

/// Takes the next message off the front; false when there is none. The last one may be shorter than it says.
inline bool next(std::string_view& file, std::string_view& message) {
  if (file.size() < 2) return false;
  const std::size_t size = static_cast<std::uint8_t>(file[0]) + 256u * static_cast<std::uint8_t>(file[1]);
  message = file.substr(2, size);
  file.remove_prefix(2 + message.size());
  return true;
}

}  // namespace lightloop::fuzz
