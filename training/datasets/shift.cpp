#include "training/datasets/shift.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/elementwise.hpp"

namespace lightloop {

void check_shift(const Dataset& data) {
  const std::size_t axes = data.sample_shape.size();
  if ((axes == 2 || axes == 3) && !data.codes && !data.graph) return;
  throw Unsupported("train.shift on " + data.name, "its samples are no images",
                    "they have " + std::to_string(axes) + " axes", "leave it out");
}

void shift_images(const Dataset& data, View<const float> in, Index most, std::uint64_t seed, std::uint64_t first_sample,
                  View<float> out) {
  const Index height = data.sample_shape[0], width = data.sample_shape[1],
              channels = data.sample_shape.size() > 2 ? data.sample_shape[2] : 1;
  const Stream draws(seed, 2, Purpose::batch_order);
  for_rows(in.rows(), in.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const auto drawn = [&](std::uint64_t column) {
        const double u = draws.uniform(first_sample + static_cast<std::uint64_t>(r), column);
        return std::min(static_cast<Index>(u * static_cast<double>(2 * most + 1)), 2 * most) - most;
      };
      const Index dy = drawn(0), dx = drawn(1);
      const Index from = std::max<Index>(0, -dx), kept = std::max<Index>(0, width - std::abs(dx));
      float* const to = out.row(r).data();
      std::fill_n(to, out.cols(), 0.0f);
      for (Index y = std::max<Index>(0, dy); y < std::min(height, height + dy); ++y)
        std::copy_n(in.row(r).data() + ((y - dy) * width + from) * channels, kept * channels,
                    to + (y * width + from + dx) * channels);
    }
  });
}

}  // namespace lightloop
