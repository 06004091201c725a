#include "driver/backends/replay/shares.hpp"

#include <algorithm>

namespace lightloop::replay {

void Shares::add(const recording::Tape& tape, const DeviceInfo& info, std::uint64_t entry, Index from, Index n,
                 RunReport& report) {
  const recording::Entry& of = tape.entries()[entry];
  const RunReport& whole = of.report;
  if (n == of.count) {
    report.saturated += whole.saturated;
    report.device_s += whole.device_s;
    report.device_j += whole.device_j;
    return;
  }
  const auto share = [&](double total, double call) {
    const double first = std::min(total, call);
    const auto until = [&](Index frame) {
      return frame == 0 ? 0.0 : first + (total - first) * (static_cast<double>(frame) / static_cast<double>(of.count));
    };
    return until(from + n) - until(from);
  };
  report.device_s += share(whole.device_s, info.cost.seconds(0, 1));
  report.device_j += share(whole.device_j, info.cost.joules(0, 1));
  if (whole.saturated == 0) return;

  const Index size = (of.options.pass == Pass::forward ? info.output : info.input).size();
  const auto count_ends = [&](Index first, Index count) {
    if (count > 0) tape.output(of.first + first, count, stored_);
    for (Index i = 0; i < count; ++i)
      for (Index k = 0; k < size; ++k) {
        const std::uint32_t code = stored_.frames().at(i, k);
        ends_ += code == 0 || code == info.output.highest();
      }
    entry_ = entry;
    frame_ = first + count;
  };
  // clipped so far: what was found, or more where the codes to come could not hold the others
  const auto clipped = [&] {
    const std::int64_t rest = (of.count - frame_) * size;
    return std::min(whole.saturated, std::max(ends_, whole.saturated - rest));
  };
  if (from == 0 || entry_ != entry || frame_ != from) {  // a run that begins, or is taken up in its middle
    ends_ = 0;
    count_ends(0, from);
  }
  const std::int64_t before = clipped();
  count_ends(from, n);
  report.saturated += clipped() - before;
}

}  // namespace lightloop::replay
