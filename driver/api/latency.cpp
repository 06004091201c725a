#include "driver/api/latency.hpp"

#include <algorithm>

namespace lightloop {

std::vector<LatencyPart> latency_of(const CostModel& cost) {
  std::vector<LatencyPart> parts;
  for (const CostPart& part : cost.parts)
    if (part.latency_s > 0) parts.push_back({part.name, part.latency_s});
  if (parts.empty() && cost.frame_s > 0) parts.push_back({"frame", cost.frame_s});
  return parts;
}

void add(std::vector<LatencyPart>& sum, const std::vector<LatencyPart>& more, double times) {
  for (const LatencyPart& part : more) {
    auto found = std::ranges::find(sum, part.name, &LatencyPart::name);
    if (found == sum.end()) found = sum.insert(sum.end(), {part.name, 0});
    found->seconds += times * part.seconds;
  }
}

double seconds(const std::vector<LatencyPart>& parts) {
  double sum = 0;
  for (const LatencyPart& part : parts) sum += part.seconds;
  return sum;
}

}  // namespace lightloop
