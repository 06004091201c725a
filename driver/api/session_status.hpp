#pragma once
// What a Session tells about itself: its state, its meter, where a result is from, what happened.
#include <cstdint>
#include <string>

namespace lightloop {

/// CLOSED -> OPENING -> READY <-> RUNNING; DEGRADED: the last job failed in spite of its retries; LOST: the link is
/// down or a call does not return, reopening goes on; FAULT: opened again, it is not the device it was, and stays
/// unused until reopen().
enum class SessionState { closed, opening, ready, running, degraded, lost, fault };
std::string to_string(SessionState state);

/// Everything counted since the session was opened (and carried through checkpoints).
struct Meter {
  std::int64_t frames = 0;  ///< shown and answered, whatever became of the answer
  std::int64_t batches = 0, programs = 0, codes = 0, saturated = 0;
  double device_s = 0, device_j = 0;
  std::int64_t retries = 0;    ///< batches shown again
  std::int64_t discarded = 0;  ///< frames whose answers were not accepted
  std::int64_t checks = 0;     ///< check frames, also counted in `frames`
  std::int64_t losses = 0;     ///< times the link was lost or a call did not return
  std::int64_t reopened = 0;   ///< times the device was opened again
  double saturation() const { return codes ? static_cast<double>(saturated) / static_cast<double>(codes) : 0.0; }
  Meter& operator+=(const Meter& other);
};

/// Where a result is from.
struct Provenance {
  std::string device;  ///< the device string
  std::string model, serial, version, calibration_id;
  std::uint64_t generation = 0;  ///< how often settings or programme were changed before
  std::uint64_t first_frame_id = 0, last_frame_id = 0;
  std::uint64_t first_exposure = 0, last_exposure = 0;  ///< the hardware's own numbers, 0 where it has none
  double saturation = 0;                                ///< fraction of clipped codes
  std::int64_t retries = 0;
};

/// One thing that happened to a session: a loss, a reopening, a refused answer.
struct SessionEvent {
  std::int64_t number = 0;  ///< from 0
  double unix_time = 0;
  std::uint64_t frame_id = 0;  ///< the next frame's at that time
  std::string text;
};

}  // namespace lightloop
