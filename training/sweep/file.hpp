#pragma once
// Sweeps as TOML files: what `lightloop sweep FILE.toml` reads.
#include <string>
#include <utility>
#include <vector>

#include "core/toml.hpp"
#include "training/sweep/sweep.hpp"

namespace lightloop::sweeps {

/// One entry of `measure`: a name, "file.py:function", or a table with `name` or `task` and arguments.
struct MeasureAsked {
  std::string name;
  bool task = false, with_arguments = false;
  std::vector<std::pair<std::string, Toml>> arguments = {};

  bool in_python() const { return !task && name.find(':') != name.npos; }
};

/// What a file asks for; the measures have names but nothing to call yet.
struct SweepFile {
  Sweep sweep;
  std::vector<MeasureAsked> measures;
};

/// Keys device, measure, [over], [settings] of the device, and repeats, seed, engine, errors, order, settle,
/// hysteresis, reference_every, [reference], [abort], attached. An axis is an array or { from, to, points } with log =
/// true for equal ratios, rounded to twelve digits. Throws FileError with line and column, UnknownName with the nearest
/// key, InvalidParameter.
SweepFile read_sweep(const std::string& path);

/// Lets the sweep call these measures, all of them known here; throws UnknownName for any other, and as
/// ParamSet::set and make_task().
void use_measures(Sweep& sweep, const std::vector<MeasureAsked>& measures);

}  // namespace lightloop::sweeps
