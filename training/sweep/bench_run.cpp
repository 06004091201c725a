// An instrument that stays open, from point to point.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/error.hpp"
#include "training/sweep/text.hpp"
#include "training/sweep/work.hpp"

namespace lightloop::sweeps {
namespace {
const std::string kMonitor = "monitor.";

std::string limit_text(double limit) { return std::isinf(limit) ? "none" : repr(limit); }

/// Throws Refused for a least or greatest value outside the limits; NaN is beyond every limit.
void check_limit(const std::string& name, double least, double most, std::pair<double, double> limits,
                 const Point& point) {
  const auto [low, high] = limits;
  const bool below = low != -INFINITY && !(least >= low), above = high != INFINITY && !(most <= high);
  if (!below && !above) return;
  char value[32];
  std::snprintf(value, sizeof value, "%.6g", below ? least : most);
  throw Refused("sweep stopped: " + name, value, "limits " + limit_text(low) + " to " + limit_text(high),
                "At " + point.where() + ". What was measured before is kept: the same call goes on from there.");
}
}  // namespace

BenchRun::BenchRun(const Sweep& sweep, OpenSession session, const std::vector<std::string>& identity,
                   std::int64_t visits_before, std::function<void(Record)> visited)
    : sweep_(sweep),
      session_(std::move(session)),
      home_(session_->settings().all()),
      identity_(identity),
      visits_(visits_before),
      since_(sweep.bench.reference_every),  // the first thing measured is the reference
      visited_(std::move(visited)) {}

void BenchRun::walk(const std::vector<std::vector<const Point*>>& lines, const Done& done) {
  const std::int64_t every = sweep_.bench.reference_every;
  for (const auto& line : lines)
    for (const Point* point : line) {
      if (every > 0 && since_ >= every) visit(*point);
      done(*point, measured(*point, point->settings), false);
      ++since_;
    }
  if (every > 0 && !lines.empty() && since_ > 0) visit(*lines.back().back());
}

void BenchRun::visit(const Point& like) {
  Settings settings;
  for (const auto& [name, value] : like.settings)
    if (const auto found = home_.find(name); found != home_.end()) settings.insert(*found);
  for (const auto& [name, value] : sweep_.bench.reference) settings[name] = value;
  visited_(measured(reference_point(visits_++, identity_), settings));
  since_ = 0;
}

Record BenchRun::measured(const Point& point, const Settings& settings) {
  sweep_.poll();
  Settings wanted = settings;
  wanted.erase("seed");
  wanted.erase("instance");
  if (!wanted.empty()) session_->configure(wanted);
  settle();
  check_monitors(point);
  Record record = sweep_.measure_at(session_, point);
  record.time_s = sweep_.clock();
  check_values(record, point);
  return record;
}

void BenchRun::settle() const {
  using Clock = std::chrono::steady_clock;
  const auto until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(sweep_.bench.settle_s));
  for (auto now = Clock::now(); now < until; now = Clock::now()) {
    std::this_thread::sleep_for(std::min<Clock::duration>(until - now, std::chrono::milliseconds(100)));
    sweep_.poll();
  }
}

void BenchRun::check_monitors(const Point& point) {
  std::vector<Monitor> monitors;
  bool asked = false;
  for (const auto& [name, limits] : sweep_.bench.abort) {
    if (!name.starts_with(kMonitor)) continue;
    if (!std::exchange(asked, true)) monitors = session_->monitors();
    const auto found =
        std::find_if(monitors.begin(), monitors.end(), [&](const Monitor& m) { return kMonitor + m.name == name; });
    if (found == monitors.end()) {
      std::string list;
      for (const Monitor& m : monitors) list += (list.empty() ? "one of " : ", ") + kMonitor + m.name;
      throw UnknownName("abort", "\"" + name + "\"", list.empty() ? "the device has no monitors" : list);
    }
    check_limit(name, found->value, found->value, limits, point);
  }
}

void BenchRun::check_values(const Record& record, const Point& point) const {
  for (const auto& [name, limits] : sweep_.bench.abort) {
    if (name.starts_with(kMonitor)) continue;
    const Variable* variable = record.find(name);
    if (!variable) {
      std::string list;
      for (const Variable& v : record.values) list += (list.empty() ? "one of " : ", ") + v.name;
      throw UnknownName("abort", "\"" + name + "\"", list, "Limits on monitors are named monitor.NAME.");
    }
    if (variable->size() == 0 || variable->type == Number::boolean) continue;
    double least = variable->at(0), most = least;
    for (Index i = 0; i < variable->size(); ++i) {
      const double value = variable->at(i);
      least = std::isnan(value) || value < least ? value : least;  // once NaN, it stays
      most = std::isnan(value) || value > most ? value : most;
    }
    check_limit(name, least, most, limits, point);
  }
}

}  // namespace lightloop::sweeps
