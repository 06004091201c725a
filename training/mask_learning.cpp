#include "training/mask_learning.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/mask_changes.hpp"

namespace lightloop {
namespace {

/// Values changed at once: down to 1 over the first half.
Index flips_at(Index trial, Index trials, Index flips) {
  const double left = 1 - 2 * static_cast<double>(trial) / static_cast<double>(trials);
  return std::max<Index>(1, std::lround(static_cast<double>(flips) * left));
}

}  // namespace

LearnedMask learn_mask(Index values, const std::function<double(std::span<const std::int8_t>)>& loss,
                       const MaskLearning& settings, std::uint64_t seed) {
  MaskChanges changes(values, settings.ternary, settings.bias, seed);
  if (settings.flips < 1 || 2 * settings.flips > std::max<Index>(2, values))
    throw OutOfRange("flips of a mask", std::to_string(settings.flips),
                     "1 to half of the " + std::to_string(values) + " values");
  if (settings.trials < 0)
    throw OutOfRange("trials of a mask", std::to_string(settings.trials), "0 (ten per value) or more");
  LearnedMask result;
  const auto measure = [&] {
    ++result.writes;
    ++result.evaluations;
    const double found = loss(result.mask);
    if (!std::isfinite(found)) throw InvalidParameter("loss of a mask", std::to_string(found), "must be finite");
    return found;
  };
  const Index trials = settings.trials > 0 ? settings.trials : 10 * values;
  result.mask = changes.start();
  result.loss = measure();
  for (Index t = 0; t < trials; ++t) {
    if (t > 0 && t % values == 0) result.loss = measure();
    changes.change(result.mask, static_cast<std::uint64_t>(t), flips_at(t, trials, settings.flips));
    const double found = measure();
    if (found < result.loss)
      result.loss = found;
    else
      changes.take_back(result.mask);
    result.losses.push_back(result.loss);
  }
  return result;
}

}  // namespace lightloop
