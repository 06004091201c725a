#include "driver/api/candidate.hpp"

#include <utility>
#include <vector>

#include "core/random.hpp"

namespace lightloop {
namespace {

FrameBuffer uniform_codes(const FrameFormat& format, Index count, std::uint64_t set) {
  const Stream stream(2024, set, Purpose::user);  // the seed is arbitrary: any codes will do
  FrameBuffer buffer(format, count);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(format.size()));
  for (Index frame = 0; frame < count; ++frame) {
    stream.words(static_cast<std::uint64_t>(frame), 0, words);
    for (Index i = 0; i < format.size(); ++i)
      buffer.frames().set(frame, i, words[static_cast<std::size_t>(i)] >> (32 - format.bits));
  }
  return buffer;
}

class Plain : public Candidate {
 public:
  explicit Plain(OpenWith open) : open_(std::move(open)) {}
  std::unique_ptr<Device> open(const Settings& settings) override { return open_(settings); }

 private:
  OpenWith open_;
};

}  // namespace

FrameBuffer Candidate::frames(const DeviceInfo& info, Index count, std::uint64_t set, Pass pass) const {
  FrameFormat format = info.input;
  if (pass == Pass::transposed) format.shape = info.output.shape;
  return uniform_codes(format, count, set);
}

FrameBuffer Candidate::programme(const FrameFormat& format, std::uint64_t set) const {
  return uniform_codes(format, 1, set);
}

std::unique_ptr<Candidate> candidate_of(OpenWith open) { return std::make_unique<Plain>(std::move(open)); }

}  // namespace lightloop
