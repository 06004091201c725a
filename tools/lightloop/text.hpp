#pragma once
// Small pieces of output shared by the verbs.
#include <cstdint>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/layer/layer.hpp"

namespace lightloop::command {

/// Rows of cells as aligned columns; columns whose cells look like numbers are right-aligned. First row: the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);
std::string join(const std::vector<std::string>& words, const std::string& separator);
/// "98.20 %"
std::string percent(double fraction);
/// "1 234 567"
std::string grouped(std::int64_t number);
/// "3 min 20 s", "0.4 s", "2 h 5 min"
std::string duration(double seconds);
/// "1.23 uJ": three digits and a fitting prefix.
std::string brief(double value, const std::string& unit);
/// The range and default of a parameter as words: "100 us to 1 s", "ternary, bitplanes".
std::string range_of(const ParamInfo& info);
std::string default_of(const ParamInfo& info);
/// Text that may stand in a cell of a Markdown table.
std::string in_table(std::string text);
/// Where joules went, a line for each component.
std::string energy_table(const EnergyAccount& energy);
/// A line for every layer whose calibration leaves more than kLargeResidual unexplained; empty: none does.
std::string residual_warnings(const std::vector<LayerReport>& layers);
/// A line for each layer whose ranges run (layer.noise_management, layer.output_range = running).
std::string running_ranges(const std::vector<LayerReport>& layers);
/// The command line's spelling of a setting: "max_device_seconds" -> "max-device-seconds".
std::string dashed(std::string name);

}  // namespace lightloop::command
