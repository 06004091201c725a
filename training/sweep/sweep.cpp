#include "training/sweep/sweep.hpp"

#include <chrono>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/file_lock.hpp"
#include "core/hdf5.hpp"
#include "training/sweep/dataset.hpp"
#include "training/sweep/journal.hpp"
#include "training/sweep/text.hpp"
#include "training/sweep/work.hpp"

namespace lightloop::sweeps {
namespace {
namespace fs = std::filesystem;

void check(const Sweep& sweep) {
  std::map<std::string, int> names;
  std::string list;
  for (const auto& m : sweep.measures) {
    ++names[m.name];
    list += (list.empty() ? "" : ", ") + m.name;
  }
  if (sweep.measures.empty() || names.size() != sweep.measures.size())
    throw InvalidParameter("measure", list.empty() ? "none" : list, "at least one, each with its own name");
  if (sweep.axes.empty()) throw InvalidParameter("over", "empty", "at least one axis");
  names.clear();
  for (const Axis& axis : sweep.axes)
    if (++names[axis.name] > 1) throw InvalidParameter("over", "\"" + axis.key + "\" twice", "axes that differ");
  if (sweep.repeats < 1) throw InvalidParameter("repeats", std::to_string(sweep.repeats), "at least 1");
  sweep.bench.check();
}

bool stays_open(const Sweep& sweep, const std::vector<Axis>& axes) {
  const bool attached = sweep.attached.value_or(sweep.bench.asked() || parse_address(sweep.device).backend != "sim");
  std::string moved;
  for (const Axis& axis : axes)
    if (axis.needs_reopen) moved += (moved.empty() ? "" : ", ") + axis.name;
  if (attached && (sweep.engine != Engine::together || !moved.empty()))
    throw InvalidParameter("a device that stays open", moved.empty() ? "another engine" : moved,
                           "one at a time, nothing that needs a re-open");
  if (attached && sweep.nan_where_it_fails)
    throw InvalidParameter("errors", "nan", "raise on a device that stays open", "What was measured before is kept.");
  return attached;
}

std::vector<std::string> identity_of(const Registry& registry, const Sweep& sweep, bool attached) {
  std::vector<std::string> measures, bench;
  for (const auto& m : sweep.measures) measures.push_back(m.identity);
  if (attached) {
    const Bench& b = sweep.bench;
    bench = {json(Value(b.settle_s)), b.hysteresis.empty() ? "null" : json(b.hysteresis),
             json(Value(b.reference_every)), json(b.reference)};
    if (!b.hysteresis.empty()) bench.push_back(json(sweep.axes.back().values));  // what a point was reached through
  }
  std::vector<std::string> identity{json(Value(kFormatVersion)), json(sweep.device),
                                    json(Value(static_cast<std::int64_t>(sweep.seed))), json_array(measures),
                                    json_array(bench)};
  // Simulated devices have always been given the sweep's seed; others had none when earlier points were measured.
  if (parse_address(sweep.device).backend != "sim" && seeded_here(registry, sweep.device, sweep.axes))
    identity.push_back(json(Value("seeded")));
  return identity;
}

std::string spec_of(const Sweep& sweep, std::vector<std::string> identity) {
  std::vector<std::string> axes;
  for (const Axis& axis : sweep.axes) axes.push_back(json_array({json(axis.name), json(axis.unit), json(axis.values)}));
  identity.push_back(json_array(axes));
  identity.push_back(json(Value(std::int64_t{sweep.repeats})));
  identity.push_back(json(sweep.bench.order));
  return digest(std::move(identity));
}

/// The file of this very sweep, whole; throws for anything else that is there.
std::string finished(const std::string& path, const std::string& spec) {
  Value found;
  try {
    const h5::Reader file(path);
    if (file.has_attribute("/", "sweep")) found = file.attribute("/", "sweep");
  } catch (const FileError&) {
    throw FileError(path, "not a sweep file", "", "Choose another file, or remove it.");
  }
  if (found != Value(spec))
    throw FileError(path, "holds another sweep", "", "Choose another file, or overwrite it (--force, overwrite=True).");
  return read_file(path);
}

bool exists(const std::string& path) {
  std::error_code error;
  const bool there = fs::exists(path, error);
  if (error) throw FileError("cannot read " + path, error.message(), "", "Choose another `out`.");
  return there;
}

class Run {
 public:
  Run(const Registry& registry, const Sweep& sweep) : registry_(registry), sweep_(sweep) {}

  std::string operator()() {
    check(sweep_);
    Sweep bound = sweep_;
    bind_axes(registry_, bound.device, bound.axes);
    const bool attached = stays_open(bound, bound.axes);
    const auto identity = identity_of(registry_, bound, attached);
    const std::string spec = spec_of(bound, identity);
    std::optional<FileLock> lock;
    if (!bound.out.empty()) {
      lock.emplace(bound.out);
      const std::string parts = bound.out + ".parts";
      if (!bound.overwrite && exists(bound.out)) {
        std::string image = finished(bound.out, spec);
        std::error_code ignored;  // left where one was killed when the file stood already
        if (fs::is_regular_file(parts, ignored)) fs::remove(parts, ignored);
        return image;
      }
      std::error_code error;
      if (bound.overwrite && !fs::remove(parts, error) && error)
        throw FileError("cannot remove " + parts, error.message(), "", "Remove it, or choose another `out`.");
      journal_.emplace(parts);
    }
    const bool members = !attached && offers_members(registry_, bound);
    points_ = make_points(registry_, bound.device, bound.axes, bound.repeats, bound.seed, identity, members);
    if (attached && !bound.bench.directions().empty()) points_ = with_directions(points_, bound.bench, identity);
    recall();
    Answers answers{bound, points_, {}, {}, attached, spec, {}, {}};
    if (attached)
      on_the_bench(bound, identity, answers);
    else
      simulated(bound, members, answers);
    for (const Point& point : points_) answers.records.push_back(&records_.at(point.key));
    std::string image = write_dataset(answers, bound.out);
    if (journal_) journal_->remove();
    return image;
  }

 private:
  void recall() {
    if (!journal_) return;
    for (const Point& point : points_)
      if (const auto found = journal_->records().find(point.key); found != journal_->records().end())
        records_.insert(*found);
  }

  void describe(const Session& session, const std::vector<Axis>& axes, Answers& answers) const {
    answers.info = session.info();
    answers.settings = session.settings().all();
    for (const Axis& axis : axes) answers.settings.erase(axis.setting_name);
    answers.settings.erase("seed");
    answers.settings.erase("instance");
  }

  /// The device of the first point that opens; where points may fail, the others are told of in `failures`.
  void describe_first(const Sweep& sweep, Answers& answers) const {
    for (const Point& point : points_) {
      try {
        return describe(*open_session(registry_, sweep.device, point.settings), sweep.axes, answers);
      } catch (...) {
        if (failure_text(sweep, std::current_exception()).empty()) throw;
      }
    }
  }

  void simulated(const Sweep& sweep, bool members, Answers& answers) {
    std::vector<const Point*> missing;
    for (const Point& point : points_)
      if (!records_.contains(point.key)) missing.push_back(&point);
    describe_first(sweep, answers);
    expect(missing);
    work(registry_, sweep, missing, members, [&](const Point& p, Record r, bool more) { take(p, std::move(r), more); });
  }

  void on_the_bench(const Sweep& sweep, const std::vector<std::string>& identity, Answers& answers) {
    std::vector<std::vector<const Point*>> open_lines;
    std::vector<const Point*> missing;
    for (const auto& line : lines(points_, sweep.axes, sweep.bench, sweep.seed)) {
      std::vector<const Point*> whole;
      bool complete = true;
      for (const Index i : line) {
        whole.push_back(&points_[static_cast<std::size_t>(i)]);
        complete = complete && records_.contains(whole.back()->key);
      }
      if (complete) continue;
      missing.insert(missing.end(), whole.begin(), whole.end());
      open_lines.push_back(std::move(whole));
    }
    for (const Point* point : missing) records_.erase(point->key);  // a line that was interrupted is measured again
    const Settings seed =
        seeded_here(registry_, sweep.device, {}) ? Settings{{"seed", device_seed(sweep.seed, 0)}} : Settings{};
    const OpenSession session = open_session(registry_, sweep.device, seed);
    describe(*session, sweep.axes, answers);
    const auto key = [&] { return visit_key(static_cast<std::int64_t>(answers.visits.size()), identity); };
    while (journal_ && journal_->records().contains(key())) answers.visits.push_back(journal_->records().at(key()));
    expect(missing);
    BenchRun walk(sweep, session, identity, static_cast<std::int64_t>(answers.visits.size()), [&](Record r) {
      if (journal_) journal_->add(key(), r);
      answers.visits.push_back(std::move(r));
    });
    walk.walk(open_lines, [&](const Point& p, Record r, bool more) { take(p, std::move(r), more); });
    session->close();
  }

  /// What was done before has a shape that the rest must have, too.
  void expect(const std::vector<const Point*>& missing) {
    for (const Point& point : points_)
      if (const auto found = records_.find(point.key); found != records_.end())
        alike_.check(found->second, point.where());
    done_ = static_cast<Index>(points_.size() - missing.size());
    if (sweep_.progress) sweep_.progress(done_, static_cast<Index>(points_.size()), "");
  }

  void take(const Point& point, Record record, bool more) {
    alike_.check(record, point.where());
    if (journal_) journal_->add(point.key, record);
    records_.insert_or_assign(point.key, std::move(record));
    ++done_;
    if (sweep_.progress && !more) sweep_.progress(done_, static_cast<Index>(points_.size()), point.where());
  }

  const Registry& registry_;
  const Sweep& sweep_;
  std::vector<Point> points_;
  std::map<std::string, Record> records_;
  std::optional<Journal> journal_;
  Alike alike_;
  Index done_ = 0;
};
}  // namespace

std::string physical_failure(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const OutOfRange& e) {
    return std::string("OutOfRange: ") + e.what();
  } catch (const DeviceError& e) {
    return std::string("DeviceError: ") + e.what();
  } catch (...) {
    return "";
  }
}

Sweep::Sweep()
    : failure_of(physical_failure),
      clock([] { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }) {
}

std::string run(const Registry& registry, const Sweep& sweep) { return Run(registry, sweep)(); }

}  // namespace lightloop::sweeps
