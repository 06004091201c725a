#pragma once
// What a snapshot of a Session says.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "driver/api/session_status.hpp"

namespace lightloop {

struct SessionSnapshot {
  std::uint64_t next_frame_id = 0;
  Meter meter;
  std::optional<std::uint64_t> programme;  ///< not in the oldest
  std::span<const std::byte> memory;       ///< the device's own snapshot; empty where it keeps none
};

/// Version of those that Session::snapshot() makes: 2 did not say which programme, 3 had no digest.
inline constexpr std::uint8_t kSessionSnapshot = 4;

/// Reads what Session::snapshot() wrote; `memory` lies in `state`. Throws InvalidParameter.
SessionSnapshot read_session_snapshot(const std::vector<std::byte>& state);

}  // namespace lightloop
