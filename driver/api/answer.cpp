#include "driver/api/answer.hpp"

#include <algorithm>
#include <cmath>

namespace lightloop {
namespace {
template <class T>
std::int64_t count_from(View<T> codes, std::uint32_t bound) {
  const T* data = codes.data();
  return std::count_if(data, data + codes.size(), [bound](T code) { return code >= bound; });
}

/// Codes of at least `bound`.
std::int64_t count_from(const Frames& frames, std::uint32_t bound) {
  return frames.bytes == 1 ? count_from(frames.u8(), bound) : count_from(frames.u16(), bound);
}
}  // namespace

CostModel cost_of(const DeviceInfo& info, Pass pass) {
  CostModel cost = info.cost;
  if (pass == Pass::forward || cost.frame_s == 0) return cost;
  const double ratio = static_cast<double>(info.output.size()) / static_cast<double>(info.input.size());
  const auto factor = [ratio](CostPer per) {
    return per == CostPer::input ? ratio : per == CostPer::output ? 1 / ratio : 1.0;
  };
  double frame_j = cost.power_w * cost.frame_s;
  for (CostPart& part : cost.parts) {
    frame_j += part.frame_j * (factor(part.per) - 1);
    part.frame_events *= factor(part.per);
    part.frame_j *= factor(part.per);
  }
  cost.frame_s *= factor(cost.time_per);
  cost.power_w = std::max(0.0, frame_j) / cost.frame_s;
  return cost;
}

RunReport counted(const DeviceInfo& info, const Frames& out, std::int64_t saturated, Pass pass) {
  const CostModel turned = pass == Pass::forward ? CostModel{} : cost_of(info, pass);
  const CostModel& cost = pass == Pass::forward ? info.cost : turned;  // not copied for every run
  const Index batches = out.count > 0 ? 1 : 0;
  RunReport report;
  report.frames = out.count;
  report.codes = out.count * out.size;
  report.saturated = saturated;
  report.device_s = cost.seconds(out.count, batches);
  report.device_j = cost.joules(out.count, batches);
  return report;
}

RunReport assumed_report(const DeviceInfo& info, const Frames& out) {
  return counted(info, out, out.count > 0 ? count_from(out, info.output.highest()) : 0);
}

void check_answer(const std::string& who, const DeviceInfo& info, const Frames& out, const RunReport& report) {
  const std::uint32_t highest = info.output.highest();
  if (info.output.bits != 8 * info.output.bytes() && out.count > 0 && count_from(out, highest + 1) > 0) {
    for (Index frame = 0; frame < out.count; ++frame)
      for (Index i = 0; i < out.size; ++i)
        if (out.at(frame, i) > highest)
          throw DeviceError(who,
                            "returned the code " + std::to_string(out.at(frame, i)) + " (frame " +
                                std::to_string(frame) + ", output " + std::to_string(i) + ")",
                            "0.." + std::to_string(highest) + " for " + std::to_string(info.output.bits) + " bits");
  }
  if (report.saturated < 0 || report.saturated > report.codes)
    throw DeviceError(who, "reported " + std::to_string(report.saturated) + " clipped codes",
                      "of " + std::to_string(report.codes));
  const auto possible = [](double number) { return number >= 0 && std::isfinite(number); };
  double parts_j = 0;
  for (const EnergyPart& part : report.parts) {
    if (part.name.empty() || !possible(part.events) || !possible(part.joules))
      throw DeviceError(who, "reported of its part \"" + part.name + "\" " + to_string(Value(part.events)) +
                                 " events and " + to_string(Value(part.joules)) + " J");
    parts_j += part.joules;
  }
  if (!possible(report.device_s) || !possible(report.device_j))
    throw DeviceError(
        who, "reported " + to_string(Value(report.device_s)) + " s and " + to_string(Value(report.device_j)) + " J");
  if (parts_j > report.device_j * (1 + 1e-9))
    throw DeviceError(who, "reported parts that take " + to_string(Value(parts_j)) + " J",
                      to_string(Value(report.device_j)) + " J in all");
}

}  // namespace lightloop
