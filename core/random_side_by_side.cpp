#include "core/random_side_by_side.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/random_lanes.hpp"

namespace lightloop {

SideBySide::SideBySide(std::uint64_t seed, std::uint64_t first_instance, Purpose purpose) {
  for (std::size_t lane = 0; lane < kSide; ++lane) {
    const PhiloxKey key = stream_key(seed, first_instance + lane, purpose);
    key0_[lane] = key[0];
    key1_[lane] = key[1];
  }
}

void SideBySide::members(std::uint64_t first_row, std::span<float> out) const {
  constexpr std::size_t kStep = kDeviates * kSide;
  LIGHTLOOP_ASSERT(out.size() % kStep == 0);
  for (std::size_t i = 0; i < out.size(); i += kStep, ++first_row)
    normal_blocks(key0_.data(), key1_.data(), first_row, 0, out.data() + i);
}

void SideBySide::one(std::uint64_t first_row, std::span<float> out) const {
  LIGHTLOOP_ASSERT(out.size() % kDeviates == 0);
  std::array<std::uint32_t, kSide> key0, key1;
  key0.fill(key0_[0]);
  key1.fill(key1_[0]);
  alignas(64) float lanes[kDeviates * kSide];
  for (std::size_t step = 0; step < out.size() / kDeviates; step += kSide) {
    normal_blocks(key0.data(), key1.data(), first_row + step, 1, lanes);
    const std::size_t count = std::min(kSide, out.size() / kDeviates - step);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t c = 0; c < kDeviates; ++c) out[(step + i) * kDeviates + c] = lanes[c * kSide + i];
  }
}

}  // namespace lightloop
