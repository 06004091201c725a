#include "sim/media/transmission_matrix.hpp"

#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

constexpr Index kBlock = 32;  // pixels drawn together, so that writes into the transposed storage are whole cache lines
constexpr float kHalf = static_cast<float>(1 / std::numbers::sqrt2);  // each quadrature has variance 1/2

// Calls draw(grain, first pixel, pixels x 2 n reals) for blocks of pixels and hands each real, with variance 1/2, to
// put(entry, value); n is the number of rows of `entries`.
template <class Draw, class Put>
void for_entries(View<float> entries, Index pixels, Index grains, Draw draw, Put put) {
  const Index n = entries.rows(), blocks = (pixels + kBlock - 1) / kBlock;
  parallel_for(grains * blocks, [&](Index tile) {
    const Index g = tile / blocks, begin = tile % blocks * kBlock, count = std::min(kBlock, pixels - begin);
    Matrix<float> drawn;
    drawn.resize(count, 2 * n);
    draw(g, begin, drawn.view());
    for (Index j = 0; j < n; ++j) {
      float* const re = &entries(j, 2 * g * pixels + begin);
      float* const im = re + pixels;
      for (Index i = 0; i < count; ++i) {
        put(re[i], kHalf * drawn(i, 2 * j));
        put(im[i], kHalf * drawn(i, 2 * j + 1));
      }
    }
  });
}

}  // namespace

TransmissionMatrix::TransmissionMatrix(std::uint64_t seed, std::uint64_t instance, Index inputs, Index pixels,
                                       Index grains)
    : seed_(seed), instance_(instance), pixels_(pixels), grains_(grains) {
  LIGHTLOOP_ASSERT(inputs > 0 && pixels > 0 && grains > 0);
  entries_.resize(inputs + 1, 2 * grains * pixels);
  const Stream matrix(seed, instance, Purpose::transmission_matrix);
  const Stream background(seed, instance, Purpose::background_field);
  for_entries(
      entries_, pixels, grains,
      [&](Index g, Index first, View<float> out) {
        for (Index i = 0; i < out.rows(); ++i) {
          const auto row = static_cast<std::uint64_t>(first + i) + (static_cast<std::uint64_t>(g) << 40);
          matrix.normal(row, 0, out.row(i).first(static_cast<std::size_t>(2 * inputs)));
          background.normal(row, 0, out.row(i).last(2));
        }
      },
      [](float& entry, float value) { entry = value; });
}

void TransmissionMatrix::evolve(double correlation, std::uint64_t step) {
  const Stream drift(seed_, instance_, Purpose::medium_drift);
  const auto keep = static_cast<float>(correlation);
  const auto fresh = static_cast<float>(std::sqrt(1 - correlation * correlation));
  for_entries(
      entries_, pixels_, grains_,
      [&](Index g, Index first, View<float> out) {
        drift.normal(step, static_cast<std::uint64_t>((g * pixels_ + first) * out.cols()),
                     {out.data(), static_cast<std::size_t>(out.size())});
      },
      [&](float& entry, float value) { entry = keep * entry + fresh * value; });
}

}  // namespace lightloop
