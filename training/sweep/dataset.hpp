#pragma once
// The answers of a sweep as one netCDF-4 file: dimensions are the axes, "repeat", "direction", then a measure's own.
#include "training/sweep/sweep.hpp"

namespace lightloop::sweeps {

/// Everything that goes into the file. `records` belong to `points`, one each; `visits` to the reference of a bench.
struct Answers {
  const Sweep& sweep;
  const std::vector<Point>& points;
  std::vector<const Record*> records;
  std::vector<Record> visits;
  bool attached = false;
  std::string spec;  ///< hash of what was asked for
  DeviceInfo info;
  Settings settings;  ///< of the device, without those that were swept
};

/// Writes the file to `path` (empty: nowhere) and returns its bytes. Throws InvalidParameter where all points failed,
/// ShapeMismatch where two variables name one dimension and differ in it.
std::string write_dataset(const Answers& answers, const std::string& path);

}  // namespace lightloop::sweeps
