#include "training/rules/hybrid_images.hpp"

#include <algorithm>

namespace lightloop {
namespace {

/// Lines of `count` values `stride` apart, `lines` of them `next` apart.
void blur(std::span<const float> in, Index lines, Index next, Index count, Index stride, std::span<float> out) {
  for (Index line = 0; line < lines; ++line) {
    const float* const from = in.data() + line * next;
    float* const to = out.data() + line * next;
    for (Index i = 0; i < count; ++i) {
      const float before = from[std::max<Index>(i - 1, 0) * stride], after = from[std::min(i + 1, count - 1) * stride];
      to[i * stride] = 0.25f * (before + after) + 0.5f * from[i * stride];
    }
  }
}

}  // namespace

void hybrid_mask(const Stream& draws, std::uint64_t row, const ImageSize& size, Index blurs, std::span<float> mask,
                 std::span<float> work) {
  draws.uniform(row, 4, mask);
  for (float& v : mask) v = v < 0.5f ? 0.0f : 1.0f;
  for (Index k = 0; k < blurs; ++k) {
    blur(mask, size.height, size.width, size.width, 1, work);
    blur(work, size.width, 1, size.height, size.width, mask);
  }
  for (float& v : mask) v = v > 0.5f ? 1.0f : 0.0f;
}

void mix_images(std::span<const float> mask, std::span<const float> a, std::span<const float> b, Index channels,
                std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = mask[i / static_cast<std::size_t>(channels)] != 0 ? a[i] : b[i];
}

}  // namespace lightloop
