#pragma once
// Snapshots that end with their own digest, so that damaged ones are refused.
#include <cstddef>
#include <span>
#include <vector>

#include "core/bytes.hpp"

namespace lightloop {

/// The bytes, then the 64 digits of their SHA-256.
std::vector<std::byte> sealed(std::vector<std::byte> bytes);
/// What sealed() was given. Throws as refusing.refuse() where the digest is another.
std::span<const std::byte> unsealed(std::span<const std::byte> bytes, const ByteReader& refusing);

}  // namespace lightloop
