#pragma once
// Where the energy of a device went, added up from the frames that were shown.
#include <cstdint>
#include <string>
#include <vector>

#include "driver/api/device.hpp"

namespace lightloop {

/// Energy by component. The parts always add up to all that was added; what no component claims is called "other".
class EnergyAccount {
 public:
  /// Frames shown at the present cost, and the joules the device reported for them. Where an instrument reports less
  /// than its components claim, all of them are scaled down.
  void add_frames(const CostModel& cost, std::int64_t frames, double joules);
  /// The frames of a report: by the components it tells of itself, what they leave to nobody; where it tells of none,
  /// by those of the present cost.
  void add_frames(const CostModel& cost, const RunReport& report);
  void add_program(const CostModel& cost);
  void add(const EnergyAccount& other);

  /// In the order of their first appearance, "other" among them if there is any.
  const std::vector<EnergyPart>& parts() const { return parts_; }
  double joules() const;

 private:
  void add(const std::string& name, double events, double joules);
  std::vector<EnergyPart> parts_;
};

}  // namespace lightloop
