#include "training/report/spec_search.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {

constexpr double kMoreFrames = 1.05;  // rows shown again because of clipping: so many more at most (assumed)

}  // namespace

GridSearch::GridSearch(const Trial& trial, const SpecOptions& options,
                       const std::function<bool(const std::string&)>& progress)
    : trial_(trial), options_(options), progress_(progress) {
  if (!(options.drop > 0 && options.drop < 1))
    throw OutOfRange("drop", std::to_string(100 * options.drop) + " points", "above 0, below 100");
  if (trial.options().repeats < 2)
    throw OutOfRange("repeats", std::to_string(trial.options().repeats), "at least 2, to know how sure a result is");
  axes = spec_grids(trial, options.over);
  asked_ = asked_point();
}

GridSearch::Point GridSearch::asked_point() {
  const std::vector<ParamSet> layers = trial_.layer_settings();
  Point point;
  for (const GridAxis& axis : axes) {
    point.emplace_back();
    for (const ParamSet& layer : layers) {
      const auto at = std::ranges::find(axis.values, layer.value(axis.info.name));
      point.back().push_back(static_cast<int>(at - axis.values.begin()));
    }
  }
  return point;
}

GridSearch::Point GridSearch::best() const {
  return Point(axes.size(), std::vector<int>(static_cast<std::size_t>(trial_.layers()), 0));
}

const GridSearch::Point& GridSearch::asked() const { return asked_; }

bool GridSearch::begin_as_asked() {
  bool changed = false;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const int first = axes[a].source ? 0 : *std::ranges::min_element(asked_[a]);
    axes[a].values.erase(axes[a].values.begin(), axes[a].values.begin() + first);
    for (int& index : asked_[a]) index -= first;
    changed = changed || first > 0;
  }
  if (changed) seen_.clear();
  return changed;
}

Variant GridSearch::variant(const Point& point) const {
  Variant made = trial_.without({});
  made.own.resize(static_cast<std::size_t>(trial_.layers()));
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const auto value = [&](std::size_t l) { return axes[a].values[static_cast<std::size_t>(point[a][l])]; };
    const bool common = std::ranges::all_of(point[a], [&](int i) { return i == point[a][0]; });
    for (std::size_t l = 0; l < made.own.size(); ++l) {
      made.own[l].erase(axes[a].info.name);
      if (!common) made.own[l][axes[a].info.name] = value(l);
    }
    if (common) made.settings[axes[a].info.name] = value(0);
  }
  if (std::ranges::all_of(made.own, [](const Settings& own) { return own.empty(); })) made.own.clear();
  return made;
}

TrialResult GridSearch::deploy(const Point& point, Index repeat) {
  if (progress_ && !progress_(tell(point))) throw Cancelled("specification", "stopped");
  ++deployments_;
  return trial_.run(variant(point), repeat);
}

GridSearch::Seen& GridSearch::seen(const Point& point, Index repeats) {
  Seen& all = seen_[point];
  for (auto r = static_cast<Index>(all.joules.size()); r < repeats; ++r) {
    const TrialResult result = deploy(point, r);
    all.accuracies.push_back(result.accuracy);
    all.joules.push_back(result.sample_j);
    all.frame_j = result.frame_j;
    all.frames.push_back(0);
    for (const LayerReport& layer : result.layers) all.frames.back() += static_cast<double>(layer.frames);
  }
  return all;
}

Spread GridSearch::accuracy(const Point& point) { return spread(seen(point, trial_.options().repeats).accuracies); }

double GridSearch::joules(const Point& point) { return spread(seen(point, trial_.options().repeats).joules).mean; }

bool GridSearch::good(const Point& point) {
  if (const auto known = seen_.find(point); known != seen_.end() && known->second.good >= 0)
    return known->second.good == 1;
  bool enough = false;
  for (Index r = 0; r < trial_.options().repeats; ++r) {
    const double frames_at_best = seen(best(), r + 1).frames[static_cast<std::size_t>(r)];
    const Seen& now = seen(point, r + 1);
    if (now.frames[static_cast<std::size_t>(r)] > kMoreFrames * frames_at_best) {
      enough = false;
      break;
    }
    const Spread so_far = spread({now.accuracies.begin(), now.accuracies.begin() + r + 1});
    if (so_far.n < 2) continue;
    const double lost = trial_.digital_accuracy() - so_far.mean;
    const double t = student_quantile(options_.confidence, so_far.n - 1) * so_far.standard_error();
    enough = lost + t <= options_.drop;
    if (lost - t > options_.drop) break;
  }
  seen_[point].good = enough ? 1 : 0;
  return enough;
}

std::string GridSearch::tell(const Point& point) const {
  std::string text;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    text += (a == 0 ? "" : ", ") + axes[a].info.name + " ";
    const bool common = std::ranges::all_of(point[a], [&](int i) { return i == point[a][0]; });
    for (std::size_t l = 0; l < (common ? 1 : point[a].size()); ++l)
      text += (l == 0 ? "" : "/") + to_string(axes[a].values[static_cast<std::size_t>(point[a][l])]);
  }
  return text;
}

}  // namespace lightloop
