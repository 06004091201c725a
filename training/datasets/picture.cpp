// A picture to be learned by heart: waves over the plane in, three colours out.
#include <array>
#include <cmath>

#include "core/random.hpp"
#include "training/datasets/generated.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kWaves = 32, kColours = 3;
constexpr std::uint64_t kInstance = 0x70696374757265;  // of this set alone
// Assumed: standard deviation of the wave numbers in radians per half width; finer than every edge drawn below.
constexpr double kWaveNumber = 4;

/// Soft discs and stripes; x and y in -1 ... 1, colours in 0 ... 1.
std::array<double, kColours> colour(double x, double y) {
  const double ring = std::hypot(x + 0.4, y - 0.4) - 0.3;
  return {1 / (1 + std::exp(40 * (std::hypot(x - 0.2, y + 0.1) - 0.5))), 0.5 + 0.5 * std::sin(9 * x + 4 * y),
          std::exp(-32 * ring * ring)};
}

}  // namespace

TrainTest make_picture(std::uint64_t seed, Index side) {
  const Stream stream(seed, kInstance, Purpose::task_data);
  std::array<std::array<double, 2>, kWaves> waves;
  for (std::size_t w = 0; w < kWaves; ++w)
    waves[w] = {kWaveNumber * stream.normal(w, 0), kWaveNumber * stream.normal(w, 1)};
  TrainTest both;
  for (Index half = 0; half < 2; ++half) {
    Dataset& set = half == 0 ? both.train : both.test;
    set.name = "picture";
    set.source = "drawn by the program, waves from seed " + std::to_string(seed);
    set.sample_shape = {2 * static_cast<Index>(kWaves)};
    set.classes = static_cast<Index>(kColours);
    const Index pixels = (side * side + 1 - half) / 2;
    set.floats.resize(pixels, set.sample_shape[0]);
    set.values.resize(pixels, set.classes);
    set.labels.assign(static_cast<std::size_t>(pixels), 0);
    Index next = 0;
    for (Index i = 0; i < side; ++i)
      for (Index j = 0; j < side; ++j) {
        if ((i + j) % 2 != half) continue;
        const double y = (2.0 * static_cast<double>(i) + 1) / static_cast<double>(side) - 1;
        const double x = (2.0 * static_cast<double>(j) + 1) / static_cast<double>(side) - 1;
        for (std::size_t w = 0; w < kWaves; ++w) {
          const double phase = waves[w][0] * x + waves[w][1] * y;
          set.floats(next, static_cast<Index>(w)) = static_cast<float>(std::sin(phase));
          set.floats(next, static_cast<Index>(kWaves + w)) = static_cast<float>(std::cos(phase));
        }
        const std::array<double, kColours> shown = colour(x, y);
        for (std::size_t c = 0; c < kColours; ++c)
          set.values(next, static_cast<Index>(c)) = static_cast<float>(shown[c]);
        ++next;
      }
  }
  return both;
}

}  // namespace lightloop
