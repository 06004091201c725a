#pragma once
// One laser, or many side by side, answering frames: codes in, codes out. Private to delay_vcsel.
#include <memory>
#include <vector>

#include "core/random_side_by_side.hpp"
#include "devices/delay_vcsel/params.hpp"
#include "driver/api/device.hpp"

namespace lightloop::delay_vcsel {

/// Member m has the noise of instance shape.instance + m. Blocks of kSide members share registers and noise passes; a
/// single member goes through the same operations one number at a time, so its bits are those of the same member in a
/// block.
class Members {
 public:
  Members(const Shape& shape, Index count);

  Index count() const { return static_cast<Index>(operations_.size()); }
  /// Other parameters, same state.
  void set(Index member, const Operation& operation);
  void reset(Index member);
  LaserState state(Index member) const { return lasers(member).state(lane(member)); }
  /// Runs `in.count / count()` frames per member, member-major, blocks on all threads. Adds to saturated and failures
  /// of `report`; a member that broke down answers 0 from that sample on, until it is reset. Deadlines are looked at
  /// once per frame and block.
  void run(const ConstFrames& in, const Frames& out, const RunOptions& options, RunReport& report);
  /// Light without a drive's codes: `steps` steps at one injected amplitude, no noise.
  void settle(Index steps, double injected);

  void save(ByteWriter& bytes) const;
  void load(ByteReader& bytes);  ///< strong: on a throw nothing has changed

 private:
  struct Block;
  struct Frame;  // what one frame of one block needs at hand

  Lasers& lasers(Index member) const;
  int lane(Index member) const { return static_cast<int>(member % lanes_); }
  void run_block(Index block, const ConstFrames& in, const Frames& out, const RunOptions& options, Index& clipped);
  void run_frame(Index block, const ConstFrames& in, const Frames& out, Index frame, Frame& work);
  void advance(Index block, Frame& work);

  Shape shape_;
  int lanes_;        // of one Lasers
  int block_lanes_;  // members of a block, spare ones included: 1 or kSide
  int packs_;        // Lasers of a block
  std::vector<Operation> operations_;
  std::vector<std::unique_ptr<Lasers>> lasers_;
  std::vector<SideBySide> spontaneous_;  // per block
  std::vector<Stream> detector_;         // per member
  std::vector<std::string> failure_;     // empty: well
  std::vector<double> modulator_;        // Einj of each drive code
};

}  // namespace lightloop::delay_vcsel
