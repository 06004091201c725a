#pragma once
// What consists of several parts, each with a snapshot of its own, as one state.
#include <cstddef>
#include <functional>
#include <vector>

#include "core/bytes.hpp"

namespace lightloop {

using PartState = std::vector<std::byte>;

/// One part's snapshot among others, and back: its length, then its bytes.
void put_part(ByteWriter& bytes, const PartState& part);
PartState take_part(ByteReader& bytes);
std::vector<PartState> take_parts(ByteReader& bytes, std::size_t count);

struct SnapshotPart {
  std::function<PartState()> snapshot;
  std::function<void(const PartState&)> restore;
};

template <class T>
SnapshotPart snapshot_part(T& part) {
  return {[&part] { return part.snapshot(); }, [&part](const PartState& state) { part.restore(state); }};
}

/// Restores the parts one after another, all or none: where one throws, those that have changed are given back what
/// they held, and its error goes on. Errors on the way back (of a link that is lost) are dropped for it: what such a
/// part holds then is not known.
void restore_parts(const std::vector<SnapshotPart>& parts, const std::vector<PartState>& states);

}  // namespace lightloop
