#include "driver/api/energy.hpp"

#include <algorithm>

namespace lightloop {
namespace {

constexpr const char* kOther = "other";
constexpr double kRounding = 1e-9;  // of the whole: less than that is nobody's energy

}  // namespace

void EnergyAccount::add(const std::string& name, double events, double joules) {
  if (events == 0 && joules == 0) return;
  auto part = std::ranges::find(parts_, name, &EnergyPart::name);
  if (part == parts_.end()) part = parts_.insert(parts_.end(), {name, 0, 0});
  part->events += events;
  part->joules += joules;
}

void EnergyAccount::add_frames(const CostModel& cost, std::int64_t frames, double joules) {
  const auto n = static_cast<double>(frames);
  double claimed = 0;
  for (const CostPart& part : cost.parts) claimed += n * part.frame_j;
  const double scale = claimed > joules ? joules / claimed : 1.0;
  for (const CostPart& part : cost.parts) add(part.name, n * part.frame_events, scale * n * part.frame_j);
  const double rest = joules - scale * claimed;
  if (rest > kRounding * joules) add(kOther, n, rest);
}

void EnergyAccount::add_frames(const CostModel& cost, const RunReport& report) {
  if (report.parts.empty()) return add_frames(cost, report.frames, report.device_j);
  double rest = report.device_j;
  for (const EnergyPart& part : report.parts) {
    add(part.name, part.events, part.joules);
    rest -= part.joules;
  }
  if (rest > kRounding * report.device_j) add(kOther, static_cast<double>(report.frames), rest);
}

void EnergyAccount::add_program(const CostModel& cost) {
  double claimed = 0;
  for (const CostPart& part : cost.parts) {
    add(part.name, part.program_events, part.program_j);
    claimed += part.program_j;
  }
  const double rest = cost.program_j - claimed;
  if (rest > kRounding * cost.program_j) add(kOther, 1, rest);
}

void EnergyAccount::add(const EnergyAccount& other) {
  for (const EnergyPart& part : other.parts_) add(part.name, part.events, part.joules);
}

double EnergyAccount::joules() const {
  double sum = 0;
  for (const EnergyPart& part : parts_) sum += part.joules;
  return sum;
}

}  // namespace lightloop
