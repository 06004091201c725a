#pragma once
// Negative data without labels: images whose parts fit and whose whole does not.
#include <span>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop {

struct ImageSize {
  Index height = 0, width = 0, channels = 1;
  Index pixels() const { return height * width; }
};

/// mask (height * width) = 1 in large patches, else 0: random bits blurred `blurs` times by (1/4, 1/2, 1/4) along both
/// axes, edges repeated, then cut at 1/2 (Hinton, arXiv 2212.13345, section 3.2). `work` has the same length.
/// Randomness: row `row` of `draws`, columns from 4 on.
void hybrid_mask(const Stream& draws, std::uint64_t row, const ImageSize& size, Index blurs, std::span<float> mask,
                 std::span<float> work);

/// out = mask * a + (1 - mask) * b, all channels of a pixel alike.
void mix_images(std::span<const float> mask, std::span<const float> a, std::span<const float> b, Index channels,
                std::span<float> out);

}  // namespace lightloop
