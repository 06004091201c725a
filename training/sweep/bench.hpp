#pragma once
// How an attached instrument, which stays open, is taken through the grid: order, waiting, drift, limits.
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "training/sweep/point.hpp"

namespace lightloop::sweeps {

struct Bench {
  std::string order = "grid";        ///< or "random": shuffled by the seed
  double settle_s = 0;               ///< between a new setting and its measurement
  std::string hysteresis = {};       ///< "up", "down", "both": the last axis is passed in that direction without a stop
  std::int64_t reference_every = 0;  ///< points between visits to the reference; 0: none
  Settings reference = {};           ///< its settings, laid over those at opening
  /// Limits (lowest, highest) on "monitor.NAME" and on variables; infinite: none.
  std::map<std::string, std::pair<double, double>> abort = {};

  bool asked() const;
  /// Throws UnknownName, InvalidParameter.
  void check() const;
  std::vector<std::string> directions() const;
};

/// Every point once in each direction; the direction is the last dimension.
std::vector<Point> with_directions(const std::vector<Point>& points, const Bench& bench,
                                   const std::vector<std::string>& identity);

/// Indices of the points in the order of measurement, line by line. A line is measured whole: with hysteresis its
/// history is part of it. Randomness: stream batch_order, instance 1, row 0.
std::vector<std::vector<Index>> lines(const std::vector<Point>& points, const std::vector<Axis>& axes,
                                      const Bench& bench, std::uint64_t seed);

}  // namespace lightloop::sweeps
