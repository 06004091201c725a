#pragma once
// Points of a grid of component values, deployed with the same seeds each and remembered.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "training/report/spec.hpp"
#include "training/report/spec_grid.hpp"

namespace lightloop {

class GridSearch {
 public:
  /// Grid indices: per axis, per layer.
  using Point = std::vector<std::vector<int>>;

  /// Grids of the parameters of `options.over`, the values that were asked for among them. Throws as find_spec().
  GridSearch(const Trial& trial, const SpecOptions& options, const std::function<bool(const std::string&)>& progress);

  std::vector<GridAxis> axes;

  Point best() const;          ///< every source of error at its least, every other setting where it is dearest
  const Point& asked() const;  ///< the devices as they were asked for
  /// Settings that are no sources of error begin at the best that a layer was asked for, no longer at the dear end of
  /// their range. Returns whether that changed any; points from before mean other values then.
  bool begin_as_asked();

  Variant variant(const Point& point) const;
  /// A deployment with the seeds of that repeat. Throws Cancelled.
  TrialResult deploy(const Point& point, Index repeat);
  Index deployments() const { return deployments_; }

  /// Accuracies of all repeats.
  Spread accuracy(const Point& point);
  /// Mean energy of a sample over all repeats: the same seeds for every point.
  double joules(const Point& point);
  /// Energy of a frame, in every layer one.
  double frame_joules(const Point& point) { return seen(point, 1).frame_j; }
  /// Whether the accuracy lost is within the drop with the stated confidence; clear losses after two repeats. A point
  /// whose noise makes the layers show many rows again is not good either: that costs time.
  bool good(const Point& point);

  /// The worst index in [from, to] that `move` may set and that `fits`; `from` is known to.
  template <class Move, class Fits>
  static int bisect(int from, int to, const Move& move, const Fits& fits) {
    while (from < to) {
      const int middle = from + (to - from + 1) / 2;
      fits(move(middle)) ? from = middle : to = middle - 1;
    }
    return from;
  }

 private:
  struct Seen {
    std::vector<double> accuracies, joules, frames;  ///< of repeats 0, 1, ...
    double frame_j = 0;
    int good = -1;  ///< 1, 0; -1: not known
  };
  Seen& seen(const Point& point, Index repeats);
  Point asked_point();
  std::string tell(const Point& point) const;

  const Trial& trial_;
  const SpecOptions& options_;
  const std::function<bool(const std::string&)>& progress_;
  Point asked_;
  Index deployments_ = 0;
  std::map<Point, Seen> seen_;
};

}  // namespace lightloop
