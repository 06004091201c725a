#pragma once
// Private to the sweep: how points get measured.
#include "training/sweep/sweep.hpp"

namespace lightloop::sweeps {

/// A point is done; `more`: others that were measured beside it follow at once.
using Done = std::function<void(const Point&, Record, bool more)>;

/// Whether the device can be opened as an ensemble whose members differ in the axes that need no re-open; asked of the
/// first values of the others (where points may fail, of the first that open).
bool offers_members(const Registry& registry, const Sweep& sweep);
/// Whether an exception belongs to a point, which then becomes NaN; its text, else "".
std::string failure_text(const Sweep& sweep, std::exception_ptr error);

/// Measures `missing` on simulated devices by the engine of the sweep; `done` is called from this thread only, or by
/// one thread at a time.
void work(const Registry& registry, const Sweep& sweep, const std::vector<const Point*>& missing, bool members,
          const Done& done);

/// One open device taken from point to point, in lines; every visit to the reference goes to `visited`.
class BenchRun {
 public:
  BenchRun(const Sweep& sweep, OpenSession session, const std::vector<std::string>& identity,
           std::int64_t visits_before, std::function<void(Record)> visited);
  void walk(const std::vector<std::vector<const Point*>>& lines, const Done& done);

 private:
  Record measured(const Point& point, const Settings& settings);
  void visit(const Point& like);
  void settle() const;
  void check_monitors(const Point& point);
  void check_values(const Record& record, const Point& point) const;

  const Sweep& sweep_;
  OpenSession session_;
  Settings home_;
  std::vector<std::string> identity_;
  std::int64_t visits_, since_;
  std::function<void(Record)> visited_;
};

}  // namespace lightloop::sweeps
