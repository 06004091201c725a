#include "driver/layer/snapshot_parts.hpp"

#include <cstdint>
#include <exception>

#include "core/error.hpp"

namespace lightloop {

void put_part(ByteWriter& bytes, const PartState& part) {
  bytes.put(static_cast<std::uint64_t>(part.size()));
  bytes.put_all(std::span<const std::byte>(part));
}

PartState take_part(ByteReader& bytes) {
  const auto part = bytes.take(static_cast<std::size_t>(bytes.get<std::uint64_t>()));
  return {part.begin(), part.end()};
}

std::vector<PartState> take_parts(ByteReader& bytes, std::size_t count) {
  std::vector<PartState> parts;
  for (std::size_t i = 0; i < count; ++i) parts.push_back(take_part(bytes));
  return parts;
}

void restore_parts(const std::vector<SnapshotPart>& parts, const std::vector<PartState>& states) {
  LIGHTLOOP_ASSERT(parts.size() == states.size());
  std::vector<PartState> before;
  for (const SnapshotPart& part : parts) before.push_back(part.snapshot());
  std::size_t reached = 0;
  try {
    for (; reached < parts.size(); ++reached) parts[reached].restore(states[reached]);
  } catch (...) {
    for (std::size_t i = 0; i <= reached; ++i) {
      try {
        parts[i].restore(before[i]);
      } catch (const std::exception&) {
        // the first error says why
      }
    }
    throw;
  }
}

}  // namespace lightloop
