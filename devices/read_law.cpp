#include "devices/read_law.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/leakage.hpp"

namespace lightloop {
namespace {

void count_poisson(double per_unit, const Stream& stream, std::uint64_t row, std::span<float> x, std::uint64_t first) {
  constexpr std::size_t kChunk = 256;
  constexpr float kMost = 1e15f;  // of Stream::poisson(); their noise is lost in the rounding of a float
  float means[kChunk], drawn[kChunk];
  for (std::size_t done = 0; done < x.size(); done += kChunk) {
    const std::size_t n = std::min(kChunk, x.size() - done);
    for (std::size_t i = 0; i < n; ++i)
      means[i] = std::min(kMost, static_cast<float>(std::abs(static_cast<double>(x[done + i])) * per_unit));
    stream.poisson(row, first + done, {means, n}, {drawn, n});
    for (std::size_t i = 0; i < n; ++i)
      if (means[i] < kMost)
        x[done + i] = static_cast<float>(
            std::copysign(static_cast<double>(drawn[i]) / per_unit, static_cast<double>(x[done + i])));
  }
}

void count_binomial(double per_unit, double full, const Stream& stream, std::uint64_t row, std::span<float> x,
                    std::uint64_t first) {
  constexpr double kMost = 9007199254740992.0;  // of Stream::binomial()
  const double carriers = std::clamp(std::rint(full * per_unit), 1.0, kMost);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double part = std::abs(static_cast<double>(x[i])) / full;
    if (part >= 1) continue;
    const std::uint64_t arrived = stream.binomial(row, first + i, static_cast<std::uint64_t>(carriers), part);
    x[i] = static_cast<float>(std::copysign(full * static_cast<double>(arrived) / carriers, static_cast<double>(x[i])));
  }
}

}  // namespace

ReadLaw read_law(const std::string& name) {
  return static_cast<ReadLaw>(std::ranges::find(kReadLaws, name) - std::begin(kReadLaws));
}

void read_noisily(ReadLaw law, double sd, double full, const Stream& stream, std::uint64_t row, std::span<float> x,
                  std::uint64_t first) {
  if (law == ReadLaw::poisson) return count_poisson(1 / (sd * sd), stream, row, x, first);
  if (law == ReadLaw::binomial) return count_binomial(1 / (sd * sd), full, stream, row, x, first);
  const auto free = static_cast<NoiseLaw>(law);
  add_noise(free, sd / standard_deviation(free, 1), stream, row, x, first);
}

}  // namespace lightloop
