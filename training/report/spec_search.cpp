#include "training/report/spec_search.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/levels.hpp"

namespace lightloop {
namespace {

constexpr double kStep = 1.148698355;  // 2^(1/5): reals in steps of 15 %, below what a component is specified to
constexpr double kSpan = 1e4;          // from the least real above 0 that is tried to the most: assumed, four decades
constexpr double kMoreFrames = 1.05;   // rows shown again because of clipping: so many more at most (assumed)

/// The setting with the bits of a converter whose number of levels `name` is, as dac.bits of dac.levels; else empty.
std::string bits_beside(const std::string& name, const ParamSet& settings) {
  const std::string_view ending = ".levels";
  if (!name.ends_with(ending)) return {};
  const std::string bits = name.substr(0, name.size() - ending.size()) + ".bits";
  return settings.has(bits) ? bits : std::string();
}

/// Numbers of levels of a converter with so many bits, from the best to the worst; odd.
std::vector<Value> level_grid(int bits) {
  std::vector<Value> values = {std::int64_t{0}};
  for (Index n = most_levels(bits); n >= 3; n = std::min(n - 2, static_cast<Index>(static_cast<double>(n) / kStep) | 1))
    values.emplace_back(n);
  return values;
}

/// Throws InvalidParameter for bits that a layer has no use for.
void check_bits(const std::string& name, const std::vector<ParamSet>& layers) {
  if (!name.ends_with(".bits")) return;
  const std::string levels = name.substr(0, name.size() - 4) + "levels";
  for (std::size_t l = 0; l < layers.size(); ++l)
    if (layers[l].has(levels) && layers[l].integer(levels) > 0)
      throw InvalidParameter("over", name, "layer " + std::to_string(l + 1) + " has " + levels + " in their place",
                             "Name " + levels + ".");
}

/// Values of one parameter from the best to the worst.
std::vector<Value> grid(const ParamInfo& info) {
  std::vector<Value> values = {*info.off};
  if (const auto* best = std::get_if<std::int64_t>(&*info.off)) {
    const auto worst = static_cast<std::int64_t>(static_cast<double>(*best) == info.max ? info.min : info.max);
    for (std::int64_t v = *best; v != worst; values.emplace_back(v)) v += worst > v ? 1 : -1;
    return values;
  }
  const auto* best = std::get_if<double>(&*info.off);
  if (!best)
    throw Unsupported("parameter " + info.name, "is a word or a switch", "numbers can be relaxed",
                      "`lightloop report sensitivity` tells what switching it off wins.");
  if (*best == info.max) {
    const double least = std::max(info.min, info.max / 1e18);
    for (double v = *best / kStep; v > least; v /= kStep) values.emplace_back(v);
    values.emplace_back(least);
  } else {
    for (double v = info.max / kSpan; v < info.max; v *= kStep) values.emplace_back(v);
    values.emplace_back(info.max);
  }
  return values;
}

double from_best(const GridAxis& axis, const Value& value) {
  const Value& best = axis.values.front();
  const auto number = [](const Value& v) {
    const auto* whole = std::get_if<std::int64_t>(&v);
    return whole ? static_cast<double>(*whole) : std::get<double>(v);
  };
  if (axis.levels && value != best) return 1 / number(value);
  return std::abs(number(value) - number(best));
}

/// Puts `value` among the values of `axis`, unless it is there.
void insert(GridAxis& axis, const Value& value) {
  const auto distance = [&](const Value& v) { return from_best(axis, v); };
  const auto at = std::ranges::lower_bound(axis.values, distance(value), {}, distance);
  if (std::ranges::find(axis.values, value) == axis.values.end()) axis.values.insert(at, value);
}

}  // namespace

GridSearch::GridSearch(const Trial& trial, const SpecOptions& options,
                       const std::function<bool(const std::string&)>& progress)
    : trial_(trial), options_(options), progress_(progress) {
  if (!(options.drop > 0 && options.drop < 1))
    throw OutOfRange("drop", std::to_string(100 * options.drop) + " points", "above 0, below 100");
  if (trial.options().repeats < 2)
    throw OutOfRange("repeats", std::to_string(trial.options().repeats), "at least 2, to know how sure a result is");
  const std::vector<ParamSet> layers = trial.layer_settings();
  for (const std::string& name : options.over) {
    trial.without({name});  // says what is wrong with it
    const auto info = std::ranges::find(trial.settings().infos(), name, &ParamInfo::name);
    if (trial.settings().value(name) != *info->off && std::ranges::find(trial.sources(), name) == trial.sources().end())
      throw InvalidParameter("over", name, "has no effect on this device: only with " + info->only_with);
    if (std::ranges::count(options.over, name) > 1)
      throw InvalidParameter("over", name, "is named twice", "Once will do.");
    const std::string bits = bits_beside(name, trial.settings());
    if (std::ranges::count(options.over, bits) > 0)
      throw InvalidParameter("over", name + " and " + bits, "both say how fine one converter is", "Name one of them.");
    check_bits(name, layers);
    std::int64_t least = 16;  // every layer gets every number of levels
    for (const ParamSet& layer : layers)
      if (!bits.empty()) least = std::min(least, layer.integer(bits));
    axes.push_back({*info, bits.empty() ? grid(*info) : level_grid(static_cast<int>(least))});
    axes.back().levels = !bits.empty();
  }
  if (axes.empty()) throw InvalidParameter("over", "names no parameter", "", "Say --over device.adc.bits,...");
  asked_ = asked_point();
}

GridSearch::Point GridSearch::asked_point() {
  const std::vector<ParamSet> layers = trial_.layer_settings();
  for (GridAxis& axis : axes)
    for (const ParamSet& layer : layers) insert(axis, layer.value(axis.info.name));
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
