#include "core/sealed.hpp"

#include <string_view>

#include "core/hash.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kDigest = 64;  // digits of a SHA-256

}  // namespace

std::vector<std::byte> sealed(std::vector<std::byte> bytes) {
  const std::string digest = sha256(bytes);
  const auto end = std::as_bytes(std::span(digest));
  bytes.insert(bytes.end(), end.begin(), end.end());
  return bytes;
}

std::span<const std::byte> unsealed(std::span<const std::byte> bytes, const ByteReader& refusing) {
  if (bytes.size() < kDigest) refusing.refuse(std::to_string(kDigest - bytes.size()) + " bytes too short");
  const auto body = bytes.first(bytes.size() - kDigest), digest = bytes.last(kDigest);
  if (std::string_view(reinterpret_cast<const char*>(digest.data()), kDigest) != sha256(body))
    refusing.refuse("damaged: cut short, or bytes of it have changed since it was taken");
  return body;
}

}  // namespace lightloop
