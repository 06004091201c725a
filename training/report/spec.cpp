#include "training/report/spec.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace lightloop {
namespace {

constexpr double kStep = 1.148698355;  // 2^(1/5): reals in steps of 15 %, below what a component is specified to
constexpr double kSpan = 1e4;          // from the least real above 0 that is tried to the most: assumed, four decades
constexpr double kMoreFrames = 1.05;   // rows shown again because of clipping: so many more at most (assumed)
constexpr double kSame = 1e-9;         // relative difference of energies that counts as none

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

struct Axis {
  ParamInfo info;
  std::vector<Value> values;
  int limit = 0;  ///< worst index it can reach alone
};

/// Grid indices: per axis, per layer.
using Point = std::vector<std::vector<int>>;

class Search {
 public:
  Search(const Trial& trial, const SpecOptions& options, const std::function<bool(const std::string&)>& progress)
      : trial_(trial), options_(options), progress_(progress) {
    if (!(options.drop > 0 && options.drop < 1))
      throw OutOfRange("drop", std::to_string(100 * options.drop) + " points", "above 0, below 100");
    if (trial.options().repeats < 2)
      throw OutOfRange("repeats", std::to_string(trial.options().repeats), "at least 2, to know how sure a result is");
    for (const std::string& name : options.over) {
      trial.without({name});  // says what is wrong with it
      const auto info = std::ranges::find(trial.settings().infos(), name, &ParamInfo::name);
      if (trial.settings().value(name) != *info->off &&
          std::ranges::find(trial.sources(), name) == trial.sources().end())
        throw InvalidParameter("over", name, "has no effect on this device: only with " + info->only_with);
      axes.push_back({*info, grid(*info), 0});
    }
    if (axes.empty()) throw InvalidParameter("over", "names no parameter", "", "Say --over device.adc.bits,...");
  }

  std::vector<Axis> axes;
  Index deployments = 0;

  Point at(int index) const {
    return Point(axes.size(), std::vector<int>(static_cast<std::size_t>(trial_.layers()), index));
  }

  Variant variant(const Point& point) const {
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

  /// Whether the mean loss of the repeats + t standard errors is within the drop; clear cases after two. A point whose
  /// noise makes the layers show many rows again is not good either: that costs time and energy.
  bool good(const Point& point) {
    if (const auto known = known_.find(point); known != known_.end()) return known->second;
    if (progress_ && !progress_(tell(point))) throw Cancelled("specification", "stopped");
    std::vector<double> losses;
    bool enough = false;
    for (Index r = 0; r < trial_.options().repeats; ++r) {
      const TrialResult result = deploy(variant(point), r);
      losses.push_back(trial_.digital_accuracy() - result.accuracy);
      const double shown = frames(result);
      if (frames_ == 0) frames_ = shown;
      if (shown > kMoreFrames * frames_) {
        enough = false;
        break;
      }
      const Spread so_far = spread(losses);
      if (so_far.n < 2) continue;
      const double t = student_quantile(options_.confidence, so_far.n - 1) * so_far.standard_error();
      enough = so_far.mean + t <= options_.drop;
      if (so_far.mean - t > options_.drop) break;
    }
    return known_[point] = enough;
  }

  TrialResult deploy(const Variant& what, Index repeat) {
    ++deployments;
    return trial_.run(what, repeat);
  }

  double joules(const Point& point) {
    const auto known = joules_.find(point);
    if (known != joules_.end()) return known->second;
    return joules_[point] = deploy(variant(point), 0).sample_j;
  }

  /// The worst index in [from, to] that `move` may set and that is good; `from` is known to be.
  template <class Move>
  int bisect(int from, int to, const Move& move) {
    while (from < to) {
      const int middle = from + (to - from + 1) / 2;
      good(move(middle)) ? from = middle : to = middle - 1;
    }
    return from;
  }

  static Point with(Point point, std::size_t axis, int index) {
    std::ranges::fill(point[axis], index);
    return point;
  }

 private:
  static double frames(const TrialResult& result) {
    double sum = 0;
    for (const LayerReport& layer : result.layers) sum += static_cast<double>(layer.frames);
    return sum;
  }
  std::string tell(const Point& point) const {
    std::string text;
    for (std::size_t a = 0; a < axes.size(); ++a) {
      text += (a == 0 ? "" : ", ") + axes[a].info.name + " ";
      const bool common = std::ranges::all_of(point[a], [&](int i) { return i == point[a][0]; });
      for (std::size_t l = 0; l < (common ? 1 : point[a].size()); ++l)
        text += (l == 0 ? "" : "/") + to_string(axes[a].values[static_cast<std::size_t>(point[a][l])]);
    }
    return text;
  }

  const Trial& trial_;
  const SpecOptions& options_;
  const std::function<bool(const std::string&)>& progress_;
  double frames_ = 0;  ///< shown for one deployment with all at their best, which is the first point that is tried
  std::map<Point, bool> known_;
  std::map<Point, double> joules_;
};

std::vector<std::size_t> order_by(std::size_t n, const std::vector<double>& worth) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return worth[a] > worth[b]; });
  return order;
}

/// Step 2: all together, then one after the other.
Point relax_together(Search& search, const std::vector<double>& saved) {
  constexpr int kParts = 32;  // of the ways that each can go alone
  const auto part = [&](int t) {
    Point point = search.at(0);
    for (std::size_t a = 0; a < point.size(); ++a) point = Search::with(point, a, search.axes[a].limit * t / kParts);
    return point;
  };
  Point point = part(search.bisect(0, kParts, part));
  for (const std::size_t a : order_by(search.axes.size(), saved)) {
    const int to =
        search.bisect(point[a][0], search.axes[a].limit, [&](int index) { return Search::with(point, a, index); });
    point = Search::with(point, a, to);
  }
  return point;
}

/// Step 3: layer by layer.
Point relax_layers(Search& search, Point point, const std::vector<bool>& priced, const std::vector<double>& layer_j) {
  for (const std::size_t l : order_by(layer_j.size(), layer_j))
    for (std::size_t a = 0; a < point.size(); ++a) {
      if (!priced[a]) continue;
      const auto move = [&](int index) {
        Point moved = point;
        moved[a][l] = index;
        return moved;
      };
      const Point moved = move(search.bisect(point[a][l], static_cast<int>(search.axes[a].values.size()) - 1, move));
      if (search.joules(moved) < search.joules(point)) point = moved;  // noisier parts may need more repeats
    }
  return point;
}

/// Fresh seeds; steps back until they agree.
Point confirm(Search& search, const Trial& trial, const SpecOptions& options, Point point, Spec& spec) {
  Index repeat = trial.options().repeats;
  const Index repeats = 2 * repeat;
  double error = 1 - options.confidence;
  for (;;) {
    std::vector<double> losses, accuracies;
    spec.sample_j = 0;
    for (Index r = 0; r < repeats; ++r) {
      const TrialResult result = search.deploy(search.variant(point), repeat++);
      accuracies.push_back(result.accuracy);
      losses.push_back(trial.digital_accuracy() - result.accuracy);
      spec.sample_j += result.sample_j / static_cast<double>(repeats);
      spec.layers = result.layers;
      spec.samples = result.samples;
    }
    error /= 2;  // all tries together err with 1 - confidence at most
    const Spread loss = spread(losses);
    spec.accuracy = spread(accuracies);
    spec.lost_bound = loss.mean + student_quantile(1 - error, repeats - 1) * loss.standard_error();
    spec.reached = spec.lost_bound <= options.drop;
    bool moved = false;
    Point tighter = point;
    for (auto& axis : tighter)
      for (int& index : axis)
        if (index > 0) --index, moved = true;
    if (spec.reached || !moved) return point;
    point = tighter;
    ++spec.tightened;
  }
}

}  // namespace

Spec find_spec(const Trial& trial, const std::string& device, const SpecOptions& options,
               const std::function<bool(const std::string&)>& progress) {
  Search search(trial, options, progress);
  Spec spec;
  spec.device = device;
  spec.digital_accuracy = trial.digital_accuracy();
  spec.drop = options.drop;
  spec.confidence = options.confidence;
  spec.repeats = trial.options().repeats;
  const auto measure = [&](const Variant& variant, double& joules) {
    std::vector<double> accuracies;
    for (Index r = 0; r < trial.options().repeats; ++r) {
      const TrialResult result = search.deploy(variant, r);
      accuracies.push_back(result.accuracy);
      joules = result.sample_j;
    }
    return spread(accuracies);
  };
  double unused = 0;
  spec.accuracy_asked = measure(trial.without({}), spec.asked_j);
  spec.accuracy_best = measure(search.variant(search.at(0)), unused);
  if (!search.good(search.at(0)))
    throw Unsupported("specification on " + device,
                      "accuracy " + std::to_string(100 * spec.accuracy_best.mean) +
                          " % with these parameters at their best, " + std::to_string(100 * spec.digital_accuracy) +
                          " % digital",
                      "a drop of " + std::to_string(100 * options.drop) + " points",
                      "Let more be lost, relax other parameters, or train the network with the device.");
  std::vector<double> saved;
  std::vector<bool> priced;
  for (std::size_t a = 0; a < search.axes.size(); ++a) {
    Axis& axis = search.axes[a];
    axis.limit = search.bisect(0, static_cast<int>(axis.values.size()) - 1,
                               [&](int index) { return Search::with(search.at(0), a, index); });
    saved.push_back(search.joules(search.at(0)) - search.joules(Search::with(search.at(0), a, axis.limit)));
    priced.push_back(std::abs(saved.back()) > kSame * search.joules(search.at(0)));
  }
  const Point common = relax_together(search, saved);
  spec.common_j = search.joules(common);
  Point point = common;
  if (options.per_layer && trial.layers() > 1 && !trial.shares_device()) {
    std::vector<double> layer_j;
    for (const LayerReport& layer : search.deploy(search.variant(common), 0).layers) layer_j.push_back(layer.device_j);
    point = relax_layers(search, common, priced, layer_j);
  }
  point = confirm(search, trial, options, point, spec);
  for (std::size_t a = 0; a < search.axes.size(); ++a) {
    const Axis& axis = search.axes[a];
    const auto value = [&](int index) { return axis.values[static_cast<std::size_t>(index)]; };
    SpecAxis row;
    row.name = axis.info.name;
    row.unit = axis.info.unit;
    row.asked = trial.settings().value(axis.info.name);
    row.best = *axis.info.off;
    row.alone = value(axis.limit);
    row.value = value(*std::ranges::min_element(point[a]));
    if (std::ranges::any_of(point[a], [&](int i) { return i != point[a][0]; }))
      for (const int index : point[a]) row.layers.push_back(value(index));
    row.priced = priced[a];
    row.at_end = std::ranges::all_of(point[a], [&](int i) { return i + 1 == static_cast<int>(axis.values.size()); });
    spec.axes.push_back(std::move(row));
  }
  spec.deployments = search.deployments;
  return spec;
}

}  // namespace lightloop
