#pragma once
// Frames whose pictures are known, shown behind those of a batch: a shift, a lost or a doubled frame moves their
// pictures.
#include <array>
#include <functional>
#include <string>

#include "driver/api/device.hpp"

namespace lightloop {

/// Two random patterns B and C with their pictures as learnt for one generation of settings and programme.
///
/// Learning shows B B C C B B C C and takes the mean picture of each. Showing them behind a batch, the picture in each
/// place must be nearer to its own than half the distance between the two; exactly equal where the device is
/// deterministic. So every net shift of a batch shows, by however many frames; two opposite ones within a batch do not,
/// nor does a change confined to single frames of data.
class CheckFrames {
 public:
  static constexpr Index kFrames = 2, kLesson = 8;

  bool learnt(Pass pass, std::uint64_t generation) const;
  void forget() { known_ = {}; }
  /// The frames of a lesson (0..7), or of a batch's end (2, 3): their patterns.
  void pattern(const FrameFormat& format, Index size, Index place, Frames frames, Index frame) const;
  /// Takes the pictures of a lesson. Throws FrameError when they are shifted by one against their frames or, if
  /// `exact`, not equal for equal frames; Unsupported when the two patterns give pictures that cannot be told apart.
  void learn(const std::string& device, const ConstFrames& pictures, Pass pass, std::uint64_t generation, bool exact);
  /// Throws FrameError when the two frames from `first` on are not B and C.
  void verify(const std::string& device, const ConstFrames& pictures, Index first, Pass pass) const;

 private:
  struct Known {
    std::uint64_t generation = ~std::uint64_t{0};
    bool exact = false;
    std::array<std::vector<double>, 2> picture;  ///< of B and C
    double apart = 0;                            ///< squared distance between them
  };
  std::array<Known, 2> known_;  ///< per pass
};

}  // namespace lightloop
