#pragma once
// Frames being collected for one trip to the device: writes input and auxiliary codes, runs them, reads codes back.
#include <span>

#include "driver/api/session.hpp"
#include "driver/projection/readout.hpp"

namespace lightloop {

class Shots {
 public:
  /// Inputs come first on the modulator, then `anchor` macro-pixels, the rest stays off. Throws Unsupported for a
  /// device whose input codes are wider than a byte.
  Shots(Session& session, Index inputs, Index anchor);

  /// Forgets all frames and makes room for up to `frames` (memory is kept).
  void begin(Index frames);
  void add(std::span<const std::uint8_t> pattern, const Shot& shot);
  Index count() const { return count_; }
  void run();
  /// The same without waiting; codes are there when wait() has returned. When wait() throws, the frame ids are as
  /// before submit().
  void submit();
  void wait();
  /// sum += weight * codes of that frame, one per pixel.
  void accumulate(Index frame, float weight, std::span<float> sum) const;
  std::uint32_t code(Index frame, Index pixel) const { return answers_.at(frame, pixel); }

  Session& session() const { return session_; }
  Index pixels() const { return session_.info().output.size(); }
  Index anchor_size() const { return anchor_; }
  /// Bytes that one frame takes here, in and out.
  Index frame_bytes() const;
  /// Bits of the reference phase; throws Unsupported when the device has no reference arm.
  int phase_bits() const;

 private:
  ConstFrames frames() const;

  Session& session_;
  Index inputs_, anchor_;
  Index phase_ = -1, shutter_ = -1;  ///< places among the auxiliary codes
  Index count_ = 0;
  Matrix<std::uint8_t> in_;
  Matrix<std::uint16_t> aux_;
  FrameBuffer out_;
  Ticket ticket_;
  ConstFrames answers_;  ///< in out_, or the ticket's
};

}  // namespace lightloop
