// The state of a network on devices: all of it is restored, or none.
#include <algorithm>

#include "core/bytes.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "training/analog.hpp"

namespace lightloop {

std::vector<std::byte> AnalogNetwork::snapshot() const {
  if (!to_restore_.empty()) return to_restore_;  // its devices have not been written yet
  ByteWriter bytes;
  bytes.put(programmed_);
  put_part(bytes, devices_->snapshot());
  for (const TiledLayer& layer : layers_) put_part(bytes, layer.snapshot());
  for (const Range& range : ranges_) {
    bytes.put(std::uint64_t{range.known});
    bytes.put(range.steps);
    bytes.put(range.mean_square);
  }
  for (const Matrix<float>& sent : sent_) bytes.put_all(sent.flat());
  return bytes.take();
}

void AnalogNetwork::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "snapshot of an analog network");
  const bool programmed = bytes.get<bool>();
  std::vector<PartState> states = take_parts(bytes, layers_.size() + 1);
  std::vector<Range> ranges(ranges_.size());
  if (bytes.left() > 0)  // older runs end here
    for (Range& range : ranges) {
      range.known = (bytes.get<std::uint64_t>() & 0xFF) != 0;  // in older runs seven bytes of anything follow
      range.steps = bytes.get<std::int64_t>();
      range.mean_square = bytes.get<double>();
    }
  std::vector<Matrix<float>> sent;
  if (pulses_ && programmed)
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      sent.emplace_back(layers_[l].outputs(), layers_[l].inputs());
      bytes.get_all(sent.back().flat());
    }
  bytes.done();
  std::vector<SnapshotPart> parts;
  for (TiledLayer& layer : layers_) parts.push_back(snapshot_part(layer));
  parts.push_back(snapshot_part(*devices_));  // last: what layers may have written has the number of the write it was
  std::ranges::rotate(states, states.begin() + 1);
  restore_parts(parts, states);
  ranges_ = std::move(ranges);
  sent_ = std::move(sent);
  programmed_ = programmed;
  if ((pulses_ || learns_programme_ || fixed_) && programmed) to_restore_ = state;
}

}  // namespace lightloop
