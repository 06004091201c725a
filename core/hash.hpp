#pragma once
// SHA-256 (FIPS 180-4), as lower-case hexadecimal text.
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lightloop {

/// Hashes bytes that arrive piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(std::span<const std::byte> bytes);
  /// The 64 digits; the object starts afresh.
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256(std::span<const std::byte> bytes);
std::string sha256(std::string_view text);
/// Throws FileError for a file that cannot be read.
std::string sha256_file(const std::string& path);

}  // namespace lightloop
