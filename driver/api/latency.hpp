#pragma once
// How long an answer takes, by component: what a control loop or a deadline sees, where a stream of frames sees
// CostModel::frame_s.
#include <string>
#include <vector>

#include "driver/api/device.hpp"

namespace lightloop {

/// The time one frame spends in one kind of component.
struct LatencyPart {
  std::string name;
  double seconds = 0;
};

/// One frame from its codes in to its codes out, in the order of the device's parts; those without any are left out.
/// Of a device that does not say, its frame time as one part called "frame".
std::vector<LatencyPart> latency_of(const CostModel& cost);

/// Adds what one frame meets after the other; `times`: as often, one after the other.
void add(std::vector<LatencyPart>& sum, const std::vector<LatencyPart>& more, double times = 1);

double seconds(const std::vector<LatencyPart>& parts);

}  // namespace lightloop
