#pragma once
// The values that a specification tries for each parameter, from the best to the worst.
#include <string>
#include <vector>

#include "training/report/trial.hpp"

namespace lightloop {

/// One parameter that is relaxed.
struct GridAxis {
  ParamInfo info;
  std::vector<Value> values;  ///< from the best to the worst
  int limit = 0;              ///< worst index it can reach alone
  bool levels = false;        ///< of a converter: 0 stands for one per code, then fewer are worse
  bool source = true;         ///< of error: the first value takes it away. Otherwise that is the dearest one
  bool priced = false;        ///< worse parts take less energy, frame by frame
  bool timed = false;         ///< no source, and no joule goes with it: worse parts answer sooner
  int last() const { return static_cast<int>(values.size()) - 1; }
  /// Puts `value` in its place, unless it is there.
  void insert(const Value& value);
};

/// Sources of error: whole numbers, reals in steps of a fifth of an octave or of 48 to the range, levels of a
/// converter. Other real settings: in steps of a fifth of an octave from where the devices, opened with it, declare
/// that a frame takes most energy to where it takes least, or, where energy does not depend on it, from the latest
/// answer to the soonest; from end to end of its range (of one that begins at 0, eighteen decades; without ends, four
/// decades to either side), as far from what is asked for as the devices accept it. Throws as find_spec().
std::vector<GridAxis> spec_grids(const Trial& trial, const std::vector<std::string>& over);

}  // namespace lightloop
