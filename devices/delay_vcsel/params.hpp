#pragma once
// The settings of sim:delay_vcsel and what they mean for the laser and the receiver. Private to delay_vcsel.
#include <map>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "sim/detection/receiver.hpp"
#include "sim/lasers/spin_flip.hpp"

namespace lightloop::delay_vcsel {

enum class Detected { total, x, y, both };

/// What every member of an ensemble shares; fixed while the device is open.
struct Shape {
  LaserGrid grid;
  Index samples = 1, steps_per_sample = 1;
  Detected detected = Detected::total;
  int dac_bits = 8, adc_bits = 8;
  std::uint64_t seed = 1, instance = 0;
  Index outputs() const { return detected == Detected::both ? 2 * samples : samples; }
};

/// What may differ between members.
struct Operation {
  LaserModel laser;
  double bandwidth_hz = 0, pump = 1, depth = 0;
  bool by_injection = true;
  Receiver receiver;
};

std::vector<ParamInfo> params();
std::map<std::string, Settings> presets();

/// Throws InvalidParameter for times that are no whole number of steps.
Shape shape_of(const ParamSet& params);
/// Throws OutOfRange for a step that is too long, and for a bias below what makes a pump of 0.
Operation operation_of(const ParamSet& params, const Shape& shape);

}  // namespace lightloop::delay_vcsel
