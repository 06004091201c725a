#include "driver/api/session_snapshot.hpp"

#include <string>

#include "core/bytes.hpp"
#include "core/sealed.hpp"

namespace lightloop {

SessionSnapshot read_session_snapshot(const std::vector<std::byte>& state) {
  constexpr const char* kWhat = "session snapshot";
  ByteReader bytes(state, kWhat);
  const auto version = bytes.get<std::uint8_t>();
  if (version < 2 || version > kSessionSnapshot) bytes.refuse("version " + std::to_string(version));
  if (version > 3) bytes = ByteReader(unsealed(state, bytes).subspan(sizeof version), kWhat);
  SessionSnapshot found;
  found.next_frame_id = bytes.get<std::uint64_t>();
  found.meter = bytes.get<Meter>();
  if (version > 2) found.programme = bytes.get<std::uint64_t>();
  found.memory = bytes.take(bytes.left());
  return found;
}

}  // namespace lightloop
