#pragma once
// The axes of a sweep: settings that take several values each.
#include <string>
#include <vector>

#include "driver/api/registry.hpp"

namespace lightloop::sweeps {

/// "device.camera.exposure[us]": a setting of the device and the unit of its values. A name that does not begin with
/// "device." is left to the measure.
struct Axis {
  /// Throws InvalidParameter for no values, or values that do not differ.
  Axis(std::string key, std::vector<Value> values);

  std::string key, name, unit;
  std::vector<Value> values;
  std::string setting_name = {};  ///< of the device, once bound
  std::string unit_shown = {};    ///< of that setting
  bool needs_reopen = false;

  bool of_device() const { return name.starts_with("device."); }
  /// What the device is given for value i: with its unit, as text.
  Value setting(Index i) const;
};

/// Finds the setting behind every "device." axis and checks kind, unit, range and choice of all its values. The unit at
/// the end of a setting's name may be left out ("injection.detuning"), and what stands before its last word where one
/// setting only ends so ("bias"). Opens a device that cannot tell its settings before. Throws UnknownName with the
/// nearest name, and as ParamSet::set.
void bind_axes(const Registry& registry, const std::string& device, std::vector<Axis>& axes);

}  // namespace lightloop::sweeps
