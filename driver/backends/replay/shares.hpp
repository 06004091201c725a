#pragma once
// What a part of a recorded run took of it. Internal to replay.
#include "driver/recorder/tape.hpp"

namespace lightloop::replay {

/// Shares out the time, the energy and the clipped codes of recorded runs: together the frames of a run took what is
/// recorded. What every call costs goes with the first frame, the rest is shared equally. Clipped codes lie at an end
/// of the range; the first ones there count as the clipped ones, and where there are not so many the last frames have
/// the others.
class Shares {
 public:
  /// Adds what `n` frames from frame `from` on of run `entry` took to `report`; `info` describes the device then.
  void add(const recording::Tape& tape, const DeviceInfo& info, std::uint64_t entry, Index from, Index n,
           RunReport& report);

 private:
  // codes at an end of the range before a frame of a run, kept for the part that follows
  std::uint64_t entry_ = 0;
  Index frame_ = 0;
  std::int64_t ends_ = 0;
  FrameBuffer stored_;
};

}  // namespace lightloop::replay
