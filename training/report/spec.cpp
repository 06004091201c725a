#include "training/report/spec.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "core/error.hpp"
#include "training/report/spec_search.hpp"

namespace lightloop {
namespace {

using Point = GridSearch::Point;

constexpr double kSame = 1e-9;       // relative difference of energies that counts as none
constexpr double kTolerance = 1.01;  // energy that parameters without a price may add, by rows shown again (assumed)
constexpr Index kMostRepeats = 10000;

Point with(Point point, std::size_t axis, int index) {
  std::ranges::fill(point[axis], index);
  return point;
}

Point with(Point point, std::size_t axis, std::size_t layer, int index) {
  point[axis][layer] = index;
  return point;
}

bool alike(const Point& point) {
  return std::ranges::all_of(
      point, [](const auto& axis) { return std::ranges::all_of(axis, [&](int index) { return index == axis[0]; }); });
}

/// The indices of `point`, so many parts of `parts` of the way to those of `end`.
Point between(Point point, const Point& end, int part, int parts) {
  for (std::size_t a = 0; a < point.size(); ++a)
    for (std::size_t l = 0; l < point[a].size(); ++l) point[a][l] += (end[a][l] - point[a][l]) * part / parts;
  return point;
}

std::vector<std::size_t> order_by(const std::vector<double>& worth) {
  std::vector<std::size_t> order(worth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return worth[a] > worth[b]; });
  return order;
}

/// The index in [least, most] where `move` is good and takes least energy, sought from `from`, where it is good: as bad
/// as can be, and back while that saves energy.
template <class Move>
int cheapest(GridSearch& search, int least, int from, int most, const Move& move) {
  int index = GridSearch::bisect(from, most, move, [&](const Point& point) { return search.good(point); });
  while (index > least && search.joules(move(index - 1)) < search.joules(move(index)) && search.good(move(index - 1)))
    --index;
  return index;
}

/// Step 1: how far each can go alone, and what a frame saves by that where settings that are no sources of error are as
/// in `start`: at their dearest they would drown the others' joules.
std::vector<double> relax_alone(GridSearch& search, const Point& start) {
  std::vector<double> saved;
  Point beside = search.best();
  for (std::size_t a = 0; a < search.axes.size(); ++a)
    if (!search.axes[a].source) beside[a] = start[a];
  for (std::size_t a = 0; a < search.axes.size(); ++a) {
    GridAxis& axis = search.axes[a];
    const auto move = [&](int index) { return with(search.best(), a, index); };
    axis.limit = GridSearch::bisect(0, axis.last(), move, [&](const Point& point) { return search.good(point); });
    const double most = search.frame_joules(with(beside, a, 0));
    saved.push_back(most - search.frame_joules(with(beside, a, axis.limit)));
    axis.priced = saved.back() > kSame * most;
  }
  return saved;
}

/// Each alone from `point`, which is good: those with a price, not below `least`, to where they are cheapest.
Point relax_each(GridSearch& search, Point point, const Point& least, const std::vector<double>& saved) {
  for (const std::size_t a : order_by(saved)) {
    if (!search.axes[a].priced) continue;
    const auto move = [&](int index) { return with(point, a, index); };
    const int most = std::max(point[a][0], search.axes[a].limit);
    point = move(cheapest(search, least[a][0], point[a][0], most, move));
  }
  return point;
}

/// Step 2: solutions with all layers alike, from `start`, which is good. `keeps`: that is what is asked for.
std::vector<Point> relax_together(GridSearch& search, const Point& start, bool keeps,
                                  const std::vector<double>& saved) {
  constexpr int kParts = 32;  // of the ways that each can go alone
  Point end = start;
  for (std::size_t a = 0; a < end.size(); ++a)
    if (search.axes[a].priced || !keeps) end = with(end, a, std::max(start[a][0], search.axes[a].limit));
  const auto part = [&](int t) { return between(start, end, t, kParts); };
  const auto good = [&](const Point& point) { return search.good(point); };
  std::vector<Point> found = {relax_each(search, part(GridSearch::bisect(0, kParts, part, good)), start, saved)};
  if (keeps) found.insert(found.end(), {relax_each(search, start, start, saved), start});
  return found;
}

/// Step 3: what has a price, layer by layer, the layer first that takes most energy.
Point relax_layers(GridSearch& search, Point point) {
  std::vector<double> layer_j;
  for (const LayerReport& layer : search.deploy(point, 0).layers) layer_j.push_back(layer.device_j);
  for (const std::size_t l : order_by(layer_j))
    for (std::size_t a = 0; a < point.size(); ++a) {
      if (!search.axes[a].priced) continue;
      const auto move = [&](int index) { return with(point, a, l, index); };
      const Point moved = move(cheapest(search, point[a][l], point[a][l], search.axes[a].last(), move));
      if (search.joules(moved) < search.joules(point)) point = moved;  // noisier parts may need more repeats
    }
  return point;
}

/// Step 4: what has no price, all layers alike, within `budget`.
Point relax_tolerances(GridSearch& search, Point point, double budget) {
  for (std::size_t a = 0; a < point.size(); ++a) {
    if (search.axes[a].priced || !alike({point[a]})) continue;
    const auto move = [&](int index) { return with(point, a, index); };
    point = move(GridSearch::bisect(point[a][0], std::max(point[a][0], search.axes[a].limit), move,
                                    [&](const Point& p) { return search.good(p) && search.joules(p) <= budget; }));
  }
  return point;
}

/// So many fresh deployments that one of `tries` bounds at their joint confidence is no wider than one alone would be
/// after `alone` deployments of the same spread.
Index repeats_for(Index alone, double error, std::size_t tries) {
  const auto width = [](double p, Index n) { return student_quantile(p, n - 1) / std::sqrt(static_cast<double>(n)); };
  const double wanted = width(1 - error, alone);
  Index n = alone;
  while (width(1 - error / static_cast<double>(tries), n) > wanted) ++n;
  return n;
}

/// Repeats with which a loss of this mean and spread would be known to be within `drop`; 0: no number would do.
Index repeats_needed(const Spread& lost, const SpecOptions& options) {
  const auto enough = [&](Index n) {
    return lost.mean + student_quantile(options.confidence, n - 1) * lost.sd / std::sqrt(static_cast<double>(n)) <=
           options.drop;
  };
  Index few = 1, many = kMostRepeats;
  if (!enough(many)) return 0;
  while (many - few > 1) (enough((few + many) / 2) ? many : few) = (few + many) / 2;
  return many;
}

Spread lost(const Trial& trial, Spread accuracy) {
  accuracy.mean = trial.digital_accuracy() - accuracy.mean;
  return accuracy;
}

/// From `found` back to what is surer: points to try one after the other.
std::vector<Point> way_back(GridSearch& search, const Point& found, const std::vector<Point>& stations) {
  std::vector<Point> way = {found};
  for (const Point& station : stations) {
    const Point middle = between(way.back(), station, 1, 2);
    for (const Point& next : {middle, station})
      if (std::ranges::find(way, next) == way.end() &&
          (next == station || search.joules(next) < search.joules(station)))
        way.push_back(next);
  }
  return way;
}

/// Fresh seeds: the first point of the way that they agree with, or the one with the least bound.
Point confirm(GridSearch& search, const Trial& trial, const SpecOptions& options, const std::vector<Point>& way,
              Spec& spec) {
  const Index first = trial.options().repeats;
  const double error = 1 - options.confidence;
  const Index repeats = repeats_for(2 * first, error, way.size());
  const double t = student_quantile(1 - error / static_cast<double>(way.size()), repeats - 1);
  Point best;
  for (std::size_t i = 0; i < way.size() && !spec.reached; ++i) {
    std::vector<double> accuracies;
    TrialResult result;
    for (Index r = 0; r < repeats; ++r) {
      result = search.deploy(way[i], first + r);
      accuracies.push_back(result.accuracy);
    }
    const Spread accuracy = spread(accuracies), loss = lost(trial, accuracy);
    const double bound = loss.mean + t * loss.standard_error();
    if (i > 0 && bound >= spec.lost_bound) continue;
    best = way[i];
    spec.accuracy = accuracy;
    spec.lost_bound = bound;
    spec.reached = bound <= options.drop;
    spec.tightened = static_cast<Index>(i);
    spec.layers = result.layers;
    spec.samples = result.samples;
    spec.repeats_needed = spec.reached ? first : repeats_needed(loss, options);
  }
  return best;
}

SpecAxis row_of(const Trial& trial, const GridAxis& axis, const std::vector<int>& indices) {
  const auto value = [&](int index) { return axis.values[static_cast<std::size_t>(index)]; };
  SpecAxis row;
  row.name = axis.info.name;
  row.unit = axis.info.unit;
  row.asked = trial.settings().value(axis.info.name);
  row.best = axis.values.front();
  row.alone = value(axis.limit);
  row.value = value(*std::ranges::min_element(indices));
  if (std::ranges::any_of(indices, [&](int i) { return i != indices[0]; }))
    for (const int index : indices) row.layers.push_back(value(index));
  row.priced = axis.priced;
  row.timed = axis.timed;
  row.at_end = std::ranges::all_of(indices, [&](int i) { return i == axis.last(); });
  return row;
}

[[noreturn]] void refuse(const std::string& device, const Trial& trial, const SpecOptions& options,
                         const Spread& accuracy) {
  const auto text = [](double fraction) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.2f", 100 * fraction);
    return std::string(digits);
  };
  const Spread loss = lost(trial, accuracy);
  const double bound = loss.mean + student_quantile(options.confidence, loss.n - 1) * loss.standard_error();
  const Index needed = repeats_needed(loss, options);
  throw Unsupported(
      "specification on " + device,
      "at their best these parameters lose " + text(loss.mean) + " ± " + text(loss.standard_error()) + " points of " +
          text(trial.digital_accuracy()) + " % over " + std::to_string(loss.n) + " repeats, which may be " +
          text(bound) + " with " + text(options.confidence) + " % confidence",
      "a drop of " + text(options.drop) + " points",
      needed > 0 ? "These repeats are too few to tell: about " + std::to_string(needed) + " are needed (--repeats)."
                 : "Let more be lost, relax other parameters, or train the network with the device.");
}

}  // namespace

Spec find_spec(const Trial& trial, const std::string& device, const SpecOptions& options,
               const std::function<bool(const std::string&)>& progress) {
  GridSearch search(trial, options, progress);
  Spec spec;
  spec.device = device;
  spec.digital_accuracy = trial.digital_accuracy();
  spec.drop = options.drop;
  spec.confidence = options.confidence;
  spec.repeats = trial.options().repeats;
  spec.age_s = trial.options().age_s;
  if (search.good(search.asked()) && !search.good(search.best())) search.begin_as_asked();
  const Point asked = search.asked(), best = search.best();
  spec.accuracy_asked = search.accuracy(asked);
  spec.accuracy_best = search.accuracy(best);
  Point start = asked;  // all layers as the best of them
  for (std::vector<int>& axis : start) std::ranges::fill(axis, *std::ranges::min_element(axis));
  const bool keeps = search.good(asked) && search.good(start);
  if (!keeps && !search.good(best)) refuse(device, trial, options, spec.accuracy_best);
  if (!keeps) start = best;
  const std::vector<double> saved = relax_alone(search, start);
  const auto cheaper = [&](const Point& x, const Point& y) { return search.joules(x) < search.joules(y); };
  std::vector<Point> candidates = relax_together(search, start, keeps, saved);
  const Point common = *std::ranges::min_element(candidates, cheaper);
  if (options.per_layer && trial.layers() > 1 && !trial.shares_device())
    for (Point& candidate : candidates) candidate = relax_layers(search, candidate);
  candidates.push_back(common);
  if (keeps) candidates.push_back(asked);
  Point found = *std::ranges::min_element(candidates, cheaper);
  double budget = std::min(kTolerance * search.joules(found), search.joules(common));
  if (keeps) budget = std::min(budget, search.joules(asked));
  found = relax_tolerances(search, found, budget);
  std::vector<Point> stations = {common};
  if (keeps) stations.push_back(asked);
  stations.push_back(best);
  const std::vector<Point> way = way_back(search, found, stations);
  const Point point = confirm(search, trial, options, way, spec);
  spec.sample_j = search.joules(point);
  spec.asked_j = search.joules(asked);
  const bool stepped = std::ranges::find(way, point) >= std::ranges::find(way, common);
  spec.common_j = search.joules(stepped && alike(point) ? point : common);
  for (std::size_t a = 0; a < search.axes.size(); ++a) spec.axes.push_back(row_of(trial, search.axes[a], point[a]));
  spec.deployments = search.deployments();
  return spec;
}

}  // namespace lightloop
