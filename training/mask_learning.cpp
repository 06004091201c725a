#include "training/mask_learning.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {

constexpr double kMostBias = 16;  // weights stay numbers for a million values, or as many visits of each

/// Draws values to change and what they become.
class Changes {
 public:
  Changes(Index values, const MaskLearning& settings, std::uint64_t seed)
      : settings_(settings),
        stream_(seed, 0, kRulePerturbation),
        waiting_(static_cast<std::size_t>(values), 1.0),
        weights_(waiting_.size()) {}

  std::vector<std::int8_t> start() const {
    std::vector<std::int8_t> mask(waiting_.size());
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = value(stream_.uniform(0, i), levels());
    return mask;
  }

  /// Changes `count` different values of `mask`; returns what they were.
  struct Change {
    std::size_t place;
    std::int8_t before;
  };
  const std::vector<Change>& change(std::vector<std::int8_t>& mask, Index trial, Index count) {
    changed_.clear();
    for (std::size_t i = 0; i < weights_.size(); ++i) weights_[i] = std::pow(waiting_[i], settings_.bias);
    for (Index k = 0; k < count; ++k) {
      const auto row = static_cast<std::uint64_t>(trial) + 1, column = static_cast<std::uint64_t>(2 * k);
      const std::size_t place = drawn(stream_.uniform(row, column));
      const int others = levels() - 1, low = settings_.ternary ? -1 : 0;
      const int step = 1 + std::min(others - 1, static_cast<int>(stream_.uniform(row, column + 1) * others));
      changed_.push_back({place, mask[place]});
      mask[place] = static_cast<std::int8_t>((mask[place] - low + step) % levels() + low);
      weights_[place] = 0;
    }
    for (double& w : waiting_) w += 1 / static_cast<double>(waiting_.size());
    for (const Change& c : changed_) waiting_[c.place] = 0;
    return changed_;
  }

 private:
  int levels() const { return settings_.ternary ? 3 : 2; }
  std::int8_t value(double u, int levels) const {
    return static_cast<std::int8_t>(std::min(levels - 1, static_cast<int>(u * levels)) - (settings_.ternary ? 1 : 0));
  }
  /// A place by its weight. All weights are 0 only where every value is being changed or has just been.
  std::size_t drawn(double u) const {
    double total = 0;
    for (const double w : weights_) total += w;
    double at = u * total;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] <= 0) continue;
      last = i;
      at -= weights_[i];
      if (at < 0) break;
    }
    return last;
  }

  const MaskLearning& settings_;
  Stream stream_;
  std::vector<double> waiting_, weights_;  ///< trials since a value was changed / values, and from them
  std::vector<Change> changed_;
};

/// Values changed at once: down to 1 over the first half.
Index flips_at(Index trial, Index trials, Index flips) {
  const double left = 1 - 2 * static_cast<double>(trial) / static_cast<double>(trials);
  return std::max<Index>(1, std::lround(static_cast<double>(flips) * left));
}

}  // namespace

LearnedMask learn_mask(Index values, const std::function<double(std::span<const std::int8_t>)>& loss,
                       const MaskLearning& settings, std::uint64_t seed) {
  if (values < 1) throw OutOfRange("values of a mask", std::to_string(values), "at least 1");
  if (settings.flips < 1 || 2 * settings.flips > std::max<Index>(2, values))
    throw OutOfRange("flips of a mask", std::to_string(settings.flips),
                     "1 to half of the " + std::to_string(values) + " values");
  if (settings.trials < 0)
    throw OutOfRange("trials of a mask", std::to_string(settings.trials), "0 (ten per value) or more");
  if (!(settings.bias >= 0 && settings.bias <= kMostBias))
    throw OutOfRange("bias of a mask", std::to_string(settings.bias), "0 to " + std::to_string(kMostBias));
  LearnedMask result;
  const auto measure = [&] {
    ++result.writes;
    ++result.evaluations;
    const double found = loss(result.mask);
    if (!std::isfinite(found)) throw InvalidParameter("loss of a mask", std::to_string(found), "must be finite");
    return found;
  };
  const Index trials = settings.trials > 0 ? settings.trials : 10 * values;
  Changes changes(values, settings, seed);
  result.mask = changes.start();
  result.loss = measure();
  for (Index t = 0; t < trials; ++t) {
    if (t > 0 && t % values == 0) result.loss = measure();
    const auto& changed = changes.change(result.mask, t, flips_at(t, trials, settings.flips));
    const double found = measure();
    if (found < result.loss)
      result.loss = found;
    else
      for (auto c = changed.rbegin(); c != changed.rend(); ++c) result.mask[c->place] = c->before;
    result.losses.push_back(result.loss);
  }
  return result;
}

}  // namespace lightloop
