#pragma once
// Frames for tests of devices.
#include "core/random.hpp"
#include "driver/api/device.hpp"

namespace lightloop {

/// Random codes between `low` and `high` of the format's range.
inline FrameBuffer random_codes(const FrameFormat& format, Index count, std::uint64_t set, double low = 0,
                                double high = 1) {
  FrameBuffer codes(format, count);
  const Stream stream(3, set, Purpose::user);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < format.size(); ++i) {
      const double u = stream.uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(i));
      codes.frames().set(f, i, static_cast<std::uint32_t>((low + (high - low) * u) * (format.highest() + 1.0)));
    }
  return codes;
}

}  // namespace lightloop
