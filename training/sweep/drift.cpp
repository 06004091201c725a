#include "training/sweep/drift.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop::sweeps {
namespace {
const Variable& variable_of(const Record& visit, const std::string& name) {
  if (const Variable* found = visit.find(name)) return *found;
  throw ShapeMismatch("measure " + name, "absent", "a value elsewhere", "This was at the reference.");
}
}  // namespace

Drift::Drift(const std::vector<const Record*>& points, const std::vector<Record>& visits) : visits_(visits) {
  start_ = std::numeric_limits<double>::infinity();
  for (const Record* record : points) start_ = std::min(start_, record->time_s);
  for (const Record& visit : visits) start_ = std::min(start_, visit.time_s);
}

std::vector<Value> Drift::visit_times() const {
  std::vector<Value> times;
  for (const Record& visit : visits_) times.emplace_back(elapsed(visit));
  return times;
}

Variable Drift::reference(const Variable& example) const {
  Variable all = example;
  all.name += "_reference";
  all.type = Number::f64;
  all.bytes.clear();
  for (const Record& visit : visits_) {
    const auto bytes = converted(variable_of(visit, example.name), Number::f64);
    all.bytes.insert(all.bytes.end(), bytes.begin(), bytes.end());
  }
  all.shape.insert(all.shape.begin(), static_cast<Index>(visits_.size()));
  all.dims.insert(all.dims.begin(), "visit");
  return all;
}

double Drift::at(const Record& record, const std::string& name, Index i) const {
  const auto moved = [&](std::size_t visit) {
    return variable_of(visits_[visit], name).at(i) - variable_of(visits_[0], name).at(i);
  };
  std::size_t after = 0;
  while (after < visits_.size() && visits_[after].time_s <= record.time_s) ++after;
  if (after == 0) return 0;
  if (after == visits_.size()) return moved(after - 1);
  const double from = visits_[after - 1].time_s, to = visits_[after].time_s;
  return moved(after - 1) + (moved(after) - moved(after - 1)) / (to - from) * (record.time_s - from);
}

}  // namespace lightloop::sweeps
