#include "driver/api/check_frames.hpp"

#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

constexpr Index kOrder[CheckFrames::kLesson] = {0, 0, 1, 1, 0, 0, 1, 1};
constexpr Index kAtEnd = 1;  ///< a batch ends with places 1 and 2 of the lesson: B, C

double squared_distance(const ConstFrames& frames, Index frame, const std::vector<double>& picture) {
  double sum = 0;
  for (Index i = 0; i < frames.size; ++i) {
    const double d = frames.at(frame, i) - picture[static_cast<std::size_t>(i)];
    sum += d * d;
  }
  return sum;
}

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// The mean pictures if frame i showed the pattern of place i - shift, and how far the frames lie from theirs.
struct Reading {
  std::array<std::vector<double>, 2> mean;
  double apart = 0, scatter = 0;
};

Reading read(const ConstFrames& pictures, Index shift) {
  Reading reading;
  for (auto& mean : reading.mean) mean.assign(static_cast<std::size_t>(pictures.size), 0.0);
  const Index first = shift > 0 ? 1 : 0, last = shift < 0 ? CheckFrames::kLesson - 1 : CheckFrames::kLesson;
  std::array<double, 2> count{};
  for (Index f = first; f < last; ++f) {
    const auto which = static_cast<std::size_t>(kOrder[f - shift]);
    ++count[which];
    for (Index i = 0; i < pictures.size; ++i) reading.mean[which][static_cast<std::size_t>(i)] += pictures.at(f, i);
  }
  for (std::size_t which = 0; which < 2; ++which)
    for (double& value : reading.mean[which]) value /= count[which];
  reading.apart = squared_distance(reading.mean[0], reading.mean[1]);
  for (Index f = first; f < last; ++f)
    reading.scatter += squared_distance(pictures, f, reading.mean[static_cast<std::size_t>(kOrder[f - shift])]);
  reading.scatter /= static_cast<double>(last - first);
  return reading;
}

/// Frames must lie within half of the distance to the other picture, with as much again in hand.
bool tells_apart(const Reading& reading) { return reading.apart > 16 * reading.scatter && reading.apart > 0; }

}  // namespace

bool CheckFrames::learnt(Pass pass, std::uint64_t generation) const {
  return known_[pass == Pass::forward ? 0 : 1].generation == generation;
}

void CheckFrames::pattern(const FrameFormat& format, Index size, Index place, Frames frames, Index frame) const {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(size));
  Stream(1, 0, Purpose::calibration)
      .words(static_cast<std::uint64_t>(kOrder[place]), 0, words);  // any patterns will do
  for (Index i = 0; i < size; ++i) frames.set(frame, i, words[static_cast<std::size_t>(i)] >> (32 - format.bits));
}

void CheckFrames::learn(const std::string& device, const ConstFrames& pictures, Pass pass, std::uint64_t generation,
                        bool exact) {
  Reading reading = read(pictures, 0);
  if (!tells_apart(reading)) {
    for (const Index shift : {1, -1})
      if (tells_apart(read(pictures, shift)))
        throw FrameError(device, "the pictures are shifted by one against their frames", "",
                         shift > 0 ? "The first picture of a batch belongs to the frame before it."
                                   : "The first picture of a batch is missing.");
    throw Unsupported("check frames on " + device, "two different patterns give pictures that cannot be told apart", "",
                      "Let more light on the detector, or set session.check_every=0 and trust the device.");
  }
  if (exact && reading.scatter > 0)
    throw FrameError(device, "equal frames gave different pictures", "", "It describes itself as deterministic.");
  known_[pass == Pass::forward ? 0 : 1] = {generation, exact, std::move(reading.mean), reading.apart};
}

void CheckFrames::verify(const std::string& device, const ConstFrames& pictures, Index first, Pass pass) const {
  const Known& known = known_[pass == Pass::forward ? 0 : 1];
  for (Index k = 0; k < kFrames; ++k) {
    const auto which = static_cast<std::size_t>(kOrder[kAtEnd + k]);
    const double own = squared_distance(pictures, first + k, known.picture[which]);
    if (own <= (known.exact ? 0.0 : known.apart / 4)) continue;
    const bool other = squared_distance(pictures, first + k, known.picture[1 - which]) <= known.apart / 4;
    throw FrameError(device,
                     "check frame " + std::to_string(k) + " behind the batch shows " +
                         (other ? "the other pattern" : "neither pattern"),
                     "", "Frames and pictures are out of step, or the device is no longer as it was.");
  }
}

}  // namespace lightloop
