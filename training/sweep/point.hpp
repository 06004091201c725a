#pragma once
// The points of a sweep: what is measured where, and the keys by which a finished point is known again.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "training/sweep/axis.hpp"

namespace lightloop::sweeps {

/// One run of all measures: a place in the grid and a repeat.
struct Point {
  std::vector<Index> place;                       ///< index along every dimension
  std::vector<std::pair<std::string, Value>> at;  ///< the axes by name, then "repeat" and what else makes it one
  Settings settings;                              ///< of the device
  std::string key;                                ///< hash of all that decides its answer
  std::int64_t repeat = 0;

  std::string where() const;  ///< "device.laser.pump=0.9, repeat=0"
};

/// SHA-256 of parts that are JSON already.
std::string digest(std::vector<std::string> parts);

/// Whether devices of this string are seeded by the sweep: they take one (driver/api/opening.hpp), and none is swept.
bool seeded_here(const Registry& registry, const std::string& device, const std::vector<Axis>& axes);

/// All points, those that differ only in settings an ensemble can take side by side, one after the other. With
/// `members` (the device offers ensembles) each is another `instance`, with noise of its own, so that it gets the same
/// bits alone and in a batch. `identity`: JSON parts of what is the same at all points.
std::vector<Point> make_points(const Registry& registry, const std::string& device, const std::vector<Axis>& axes,
                               Index repeats, std::uint64_t seed, const std::vector<std::string>& identity,
                               bool members);

/// A point more: `place` and `at` grown by one dimension.
Point extended(const Point& point, const std::string& name, const Value& value, Index place,
               const std::vector<std::string>& identity);

/// The point at which a bench is looked at for drift. Its key, of which the generator is made, is that of every visit:
/// another mask or another input would show as drift.
Point reference_point(std::int64_t visit, const std::vector<std::string>& identity);
/// What the record of one visit is known by.
std::string visit_key(std::int64_t visit, const std::vector<std::string>& identity);

}  // namespace lightloop::sweeps
