#include "training/mask_changes.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {
constexpr double kMostBias = 16;  // weights stay numbers for a million values, or as many visits of each
}

MaskChanges::MaskChanges(Index values, bool ternary, double bias, std::uint64_t seed)
    : ternary_(ternary), bias_(bias), stream_(seed, 0, kRulePerturbation) {
  if (values < 1) throw OutOfRange("values of a mask", std::to_string(values), "at least 1");
  if (!(bias >= 0 && bias <= kMostBias))
    throw OutOfRange("bias of a mask", std::to_string(bias), "0 to " + std::to_string(kMostBias));
  waiting_.assign(static_cast<std::size_t>(values), 1.0);
  weights_.resize(waiting_.size());
}

std::vector<std::int8_t> MaskChanges::start() const {
  std::vector<std::int8_t> mask(waiting_.size());
  for (std::size_t i = 0; i < mask.size(); ++i)
    mask[i] =
        static_cast<std::int8_t>(std::min(levels() - 1, static_cast<int>(stream_.uniform(0, i) * levels())) + lowest());
  return mask;
}

std::span<const MaskChanges::Change> MaskChanges::change(std::span<std::int8_t> mask, std::uint64_t trial,
                                                         Index count) {
  changed_.clear();
  for (std::size_t i = 0; i < weights_.size(); ++i) weights_[i] = std::pow(waiting_[i], bias_);
  for (Index k = 0; k < count; ++k) {
    const auto column = static_cast<std::uint64_t>(2 * k);
    const std::size_t place = drawn(stream_.uniform(trial + 1, column));
    const int others = levels() - 1;
    const int step = 1 + std::min(others - 1, static_cast<int>(stream_.uniform(trial + 1, column + 1) * others));
    changed_.push_back({place, mask[place]});
    mask[place] = static_cast<std::int8_t>((mask[place] - lowest() + step) % levels() + lowest());
    weights_[place] = 0;
  }
  for (double& w : waiting_) w += 1 / static_cast<double>(waiting_.size());
  for (const Change& c : changed_) waiting_[c.place] = 0;
  return changed_;
}

void MaskChanges::take_back(std::span<std::int8_t> mask) const {
  for (auto c = changed_.rbegin(); c != changed_.rend(); ++c) mask[c->place] = c->before;
}

/// A place by its weight. All weights are 0 only where every value is being changed or has just been.
std::size_t MaskChanges::drawn(double u) const {
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

}  // namespace lightloop
