#pragma once
// One frame's codes as signed numbers around the middle code and back, whatever their width in memory.
#include "driver/api/frames.hpp"
#include "sim/detection/converter.hpp"

namespace lightloop {

inline void read_row(const ConstFrames& frames, Index row, int bits, std::span<float> out) {
  frames.bytes == 1 ? from_codes(frames.u8().row(row), bits, out) : from_codes(frames.u16().row(row), bits, out);
}
/// Gives the number of clipped codes.
inline Index write_row(std::span<const float> y, int bits, double range, const Frames& frames, Index row) {
  return frames.bytes == 1 ? to_codes(y, bits, range, frames.u8().row(row))
                           : to_codes(y, bits, range, frames.u16().row(row));
}

}  // namespace lightloop
