#pragma once
// The report of an answer; and for devices whose code is not ours: what they return is checked before anybody relies on
// it.
#include <string>

#include "driver/api/device.hpp"

namespace lightloop {

/// What a pass costs: the cost model, for a transposed one with as many inputs as the device has outputs and the other
/// way round.
CostModel cost_of(const DeviceInfo& info, Pass pass);

/// The report of one call of run() with so many clipped codes: its counts, the cost model's seconds and joules.
RunReport counted(const DeviceInfo& info, const Frames& out, std::int64_t saturated, Pass pass = Pass::forward);

/// A report with what can be told without the device: its counts, the cost model's seconds and joules, and as clipped
/// codes those at the highest code (a detector's full scale).
RunReport assumed_report(const DeviceInfo& info, const Frames& out);

/// Throws DeviceError naming `who` when a returned code exceeds its bits, or a count, time or energy of `report` cannot
/// be, its parts taking more than all of it among them.
void check_answer(const std::string& who, const DeviceInfo& info, const Frames& out, const RunReport& report);

}  // namespace lightloop
