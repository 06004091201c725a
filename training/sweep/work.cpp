// Points of simulated devices: one by one, side by side as an ensemble, in threads, or elsewhere.
#include "training/sweep/work.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "driver/api/members.hpp"

namespace lightloop::sweeps {
namespace {
constexpr std::size_t kMembersAtOnce = 64;  // each has a thread while it is measured
constexpr auto kPatience = std::chrono::milliseconds(50);

std::set<std::string> setting_names(const std::vector<Axis>& axes, bool needs_reopen) {
  std::set<std::string> names;
  for (const Axis& axis : axes)
    if (axis.of_device() && axis.needs_reopen == needs_reopen) names.insert(axis.setting_name);
  return names;
}

Settings only(const Settings& settings, const std::set<std::string>& names, bool inside) {
  Settings kept;
  for (const auto& [name, value] : settings)
    if (names.contains(name) == inside) kept.emplace(name, value);
  return kept;
}

/// Points of consecutive instances that differ only in what needs no re-open.
std::vector<std::vector<const Point*>> batches(const std::vector<const Point*>& points, const std::vector<Axis>& axes) {
  auto fixed = setting_names(axes, true);
  fixed.insert("seed");
  const auto instance = [](const Point* p) { return std::get<std::int64_t>(p->settings.at("instance")); };
  std::vector<std::vector<const Point*>> all;
  for (const Point* point : points) {
    const Point* last = all.empty() ? nullptr : all.back().back();
    const bool joins = last && all.back().size() < kMembersAtOnce && instance(point) == instance(last) + 1 &&
                       point->repeat == last->repeat &&
                       only(point->settings, fixed, true) == only(last->settings, fixed, true);
    if (!joins) all.emplace_back();
    all.back().push_back(point);
  }
  return all;
}

/// A batch measured by one thread per member; nothing where a point is to be measured alone.
std::vector<std::optional<Record>> measure_batch(const Registry& registry, const Sweep& sweep,
                                                 const std::vector<const Point*>& batch) {
  std::vector<std::optional<Record>> records(batch.size());
  const auto moved = setting_names(sweep.axes, false);
  std::vector<Settings> own;
  for (const Point* point : batch) own.push_back(only(point->settings, moved, true));
  std::optional<Members> members;
  try {
    members.emplace(registry, sweep.device, only(batch[0]->settings, moved, false), own);
  } catch (const InvalidParameter&) {  // of one member; the others are not held up
    return records;
  } catch (const DeviceError&) {
    return records;
  }
  std::vector<OpenSession> sessions;
  for (std::size_t m = 0; m < batch.size(); ++m)
    sessions.push_back(std::make_shared<Session>(members->take(static_cast<Index>(m)), "member " + std::to_string(m)));
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t left = batch.size();
  const auto member = [&](std::size_t m) {
    try {
      records[m] = sweep.measure_at(sessions[m], *batch[m]);
    } catch (...) {  // alone, it is thrown again with the device's own words
    }
    sessions[m]->close();
    const std::lock_guard lock(mutex);
    --left;
    ended.notify_one();
  };
  std::vector<std::thread> threads;
  try {
    for (std::size_t m = 0; m < batch.size(); ++m) threads.emplace_back(member, m);
  } catch (...) {  // no thread to be had: those that wait for this member are let go
    members->stop();
    for (std::thread& thread : threads) thread.join();
    throw;
  }
  std::exception_ptr called_off;
  for (std::unique_lock lock(mutex); left > 0;) {
    ended.wait_for(lock, kPatience);
    if (called_off || left == 0) continue;
    lock.unlock();
    try {
      sweep.poll();
    } catch (...) {
      called_off = std::current_exception();
      members->stop();
    }
    lock.lock();
  }
  for (std::thread& thread : threads) thread.join();
  if (called_off) std::rethrow_exception(called_off);
  if (members->diverged()) records.assign(batch.size(), std::nullopt);
  return records;
}

void together(const Registry& registry, const Sweep& sweep, const std::vector<const Point*>& missing,
              const Done& done) {
  bool worth_it = true;
  for (const auto& batch : batches(missing, sweep.axes)) {
    std::vector<std::optional<Record>> records(batch.size());
    if (worth_it && batch.size() > 1) {
      records = measure_batch(registry, sweep, batch);
      // measures that cannot be batched are not tried again
      worth_it = std::any_of(records.begin(), records.end(), [](const auto& r) { return r.has_value(); });
    }
    for (std::size_t m = 0; m < batch.size(); ++m) {
      sweep.poll();
      const bool more = m + 1 < batch.size() && records[m + 1].has_value();
      done(*batch[m], records[m] ? std::move(*records[m]) : measure_alone(registry, sweep, *batch[m]), more);
    }
  }
}
}  // namespace

std::string failure_text(const Sweep& sweep, std::exception_ptr error) {
  return sweep.nan_where_it_fails ? sweep.failure_of(error) : "";
}

Record measure_alone(const Registry& registry, const Sweep& sweep, const Point& point) {
  try {
    const OpenSession session = open_session(registry, sweep.device, point.settings);
    Record record = sweep.measure_at(session, point);
    session->close();
    return record;
  } catch (...) {
    const std::string failure = failure_text(sweep, std::current_exception());
    if (failure.empty()) throw;
    Record record;
    record.failure = failure;
    return record;
  }
}

bool offers_members(const Registry& registry, const Sweep& sweep) {
  const std::vector<Axis>& axes = sweep.axes;
  const DeviceAddress address = parse_address(sweep.device);
  const auto is_instance = [](const Axis& axis) { return axis.setting_name == "instance"; };
  if (address.backend != "sim" || address.settings.contains("instance") ||
      std::any_of(axes.begin(), axes.end(), is_instance))
    return false;
  const auto params = registry.open_params(sweep.device);
  if (std::none_of(params.begin(), params.end(), [](const ParamInfo& p) { return p.name == "instance"; })) return false;
  Index grid = 1;  // of the axes that need a re-open
  for (const Axis& axis : axes)
    if (axis.needs_reopen) grid *= static_cast<Index>(axis.values.size());
  for (Index place = 0; place < grid; ++place) {
    Settings settings;
    Index rest = place;
    for (const Axis& axis : axes)
      if (axis.needs_reopen) {
        const auto length = static_cast<Index>(axis.values.size());
        settings[axis.setting_name] = axis.setting(rest % length);
        rest /= length;
      }
    try {
      Members(registry, sweep.device, settings, {{}}).stop();
      return true;
    } catch (const Unsupported&) {
      return false;
    } catch (...) {
      if (failure_text(sweep, std::current_exception()).empty()) throw;
    }
  }
  return false;
}

void work(const Registry& registry, const Sweep& sweep, const std::vector<const Point*>& missing, bool members,
          const Done& done) {
  if (sweep.engine == Engine::elsewhere)
    return sweep.elsewhere(missing, [&](Index i, Record record) {
      done(*missing[static_cast<std::size_t>(i)], std::move(record), false);
    });
  if (sweep.engine == Engine::together && members) return together(registry, sweep, missing, done);
  if (sweep.engine != Engine::threads) {
    for (const Point* point : missing) {
      sweep.poll();
      done(*point, measure_alone(registry, sweep, *point), false);
    }
    return;
  }
  std::mutex one_at_a_time;
  const auto here = std::this_thread::get_id();
  parallel_for(static_cast<Index>(missing.size()), [&](Index i) {
    if (std::this_thread::get_id() == here) sweep.poll();
    const Point& point = *missing[static_cast<std::size_t>(i)];
    Record record = measure_alone(registry, sweep, point);
    const std::lock_guard lock(one_at_a_time);
    done(point, std::move(record), false);
  });
}

}  // namespace lightloop::sweeps
