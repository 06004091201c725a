#pragma once
// Private to the sweep: what the visits to the reference say about a bench that drifts.
#include <vector>

#include "training/sweep/record.hpp"

namespace lightloop::sweeps {

/// Times are seconds since the first measurement. The drift of a variable is how far it has moved at the reference
/// since the first visit, linear in time between visits, constant beyond the first and the last.
class Drift {
 public:
  Drift(const std::vector<const Record*>& points, const std::vector<Record>& visits);

  double elapsed(const Record& record) const { return record.time_s - start_; }
  std::vector<Value> visit_times() const;
  /// NAME_reference over "visit".
  Variable reference(const Variable& example) const;
  /// Element i of the drift of a variable at the time of `record`.
  double at(const Record& record, const std::string& name, Index i) const;

 private:
  double start_ = 0;
  const std::vector<Record>& visits_;
};

}  // namespace lightloop::sweeps
