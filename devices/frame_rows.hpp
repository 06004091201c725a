#pragma once
// One frame's codes as signed numbers around the middle code and back, whatever their width in memory.
#include "driver/api/frames.hpp"
#include "sim/detection/converter.hpp"

namespace lightloop {

inline void read_row(const ConstFrames& frames, Index row, int bits, std::span<float> out) {
  frames.bytes == 1 ? from_codes(frames.u8().row(row), bits, out) : from_codes(frames.u16().row(row), bits, out);
}
/// Codes of y from place `first` on, rounded by u (sim/detection/converter.hpp); gives the number of clipped ones.
inline Index write_part(std::span<const float> y, int bits, double range, const Frames& frames, Index row,
                        std::size_t first, std::span<const float> u = {}) {
  return frames.bytes == 1 ? to_codes(y, bits, range, frames.u8().row(row).subspan(first, y.size()), u)
                           : to_codes(y, bits, range, frames.u16().row(row).subspan(first, y.size()), u);
}

}  // namespace lightloop
