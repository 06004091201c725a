#pragma once
// Descriptions and parameter records as flat settings: how they are stored in recordings and how they cross a plugin's
// boundary. What comes from outside is checked before anything is done with it.
#include <string>

#include "core/param.hpp"
#include "driver/api/device.hpp"

namespace lightloop {

/// Throws InvalidParameter naming `who` for a description no device can have: an unknown kind, a frame without codes or
/// with more than 2^30, bits outside 1..16, an auxiliary code that rests outside its bits, a batch limit below 1, a
/// cost that is negative or not finite, a deterministic device that does not repeat itself.
void check_info(const DeviceInfo& info, const std::string& who);

/// Whether a programme moves what is there, instead of taking its place (program.mode = pulses).
bool moves_by_pulses(const ParamSet& settings);

/// Everything in a description under flat keys: "input.shape" = "28x28", "cost.frame_s" = 4e-4.
Settings to_settings(const DeviceInfo& info);
/// The inverse; keys that are left out keep the value of `defaults`, except kind, model, input.* and output.*. Throws
/// InvalidParameter naming `who` for a missing, unknown or damaged key, and as check_info.
DeviceInfo info_from(const Settings& flat, const std::string& who, const DeviceInfo& defaults = {});

/// A parameter's record: "name", "kind" = switch | integer | real | text, "unit", "default", "min", "max", "help",
/// "choices" = "a|b|c", "needs_reopen".
Settings to_settings(const ParamInfo& info);
/// The inverse; "name", "kind" and "default" are needed. Throws InvalidParameter naming `who`.
ParamInfo param_from(const Settings& flat, const std::string& who);

}  // namespace lightloop
