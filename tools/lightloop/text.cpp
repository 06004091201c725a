#include "tools/lightloop/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/units.hpp"

namespace lightloop::command {
namespace {
/// Characters a terminal shows: bytes that do not continue a UTF-8 sequence.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool numeric(const std::string& text) { return !text.empty() && (std::isdigit(text[0]) != 0 || text == "-"); }

std::string number(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}
}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == widths.size()) widths.push_back(0), right.push_back(true);
      widths[c] = std::max(widths[c], width(row[c]));
      if (&row != &rows.front()) right[c] = right[c] && numeric(row[c]);
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - width(row[c]), ' ');
      line += " " + (right[c] ? padding + row[c] : row[c] + padding) + " ";
    }
    while (line.back() == ' ') line.pop_back();
    text += line + "\n";
  }
  return text;
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const auto& word : words) text += (&word == &words.front() ? "" : separator) + word;
  return text;
}

std::string percent(double fraction) { return std::isnan(fraction) ? "-" : number("%.2f %%", 100 * fraction); }

std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), " ");
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  if (seconds < 9.95) return number("%.1f s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string brief(double value, const std::string& unit) {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%.3g", value);
  return format_quantity(std::strtod(digits, nullptr), unit);
}

std::string default_of(const ParamInfo& info) {
  if (const auto* text = std::get_if<std::string>(&info.default_value)) return text->empty() ? "none" : *text;
  if (const auto* switched = std::get_if<bool>(&info.default_value)) return *switched ? "on" : "off";
  if (const auto* real = std::get_if<double>(&info.default_value)) return format_quantity(*real, info.unit);
  return to_string(info.default_value);
}

std::string in_table(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != text.npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string range_of(const ParamInfo& info) {
  if (!info.choices.empty()) return join(info.choices, ", ");
  if (std::holds_alternative<bool>(info.default_value)) return "on, off";
  if (std::holds_alternative<std::string>(info.default_value)) return "text";
  const bool integer = std::holds_alternative<std::int64_t>(info.default_value);
  if (info.min == info.max) return integer ? "any whole number" : "any";
  const auto shown = [&](double value) {
    return integer && std::abs(value) < 1e15 ? std::to_string(std::llround(value)) : format_quantity(value, info.unit);
  };
  if (!std::isfinite(info.max)) return "at least " + shown(info.min);
  if (!std::isfinite(info.min)) return "at most " + shown(info.max);
  return shown(info.min) + " to " + shown(info.max);
}

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string energy_table(const EnergyAccount& energy) {
  std::vector<std::vector<std::string>> rows = {{"component", "events", "energy", "share"}};
  for (const EnergyPart& part : energy.parts())
    rows.push_back({part.name, grouped(static_cast<std::int64_t>(part.events)), brief(part.joules, "J"),
                    percent(part.joules / energy.joules())});
  return table(rows);
}

std::string running_ranges(const std::vector<LayerReport>& layers) {
  std::string text;
  const auto shown = [](double range) { return range > 0 ? number("%.4g", range) : std::string("none"); };
  for (std::size_t l = 0; l < layers.size(); ++l)
    if (const LayerReport& one = layers[l]; one.input_range + one.output_range > 0)
      text += "layer " + std::to_string(l + 1) + ": running ranges: inputs " + shown(one.input_range) + " (" +
              grouped(one.clipped_inputs) + " numbers beyond), ADC " + shown(one.output_range) + "\n";
  return text;
}

std::string residual_warnings(const std::vector<LayerReport>& layers) {
  std::string text;
  for (std::size_t l = 0; l < layers.size(); ++l)
    if (const double residual = layers[l].residual; residual > kLargeResidual)
      text += "layer " + std::to_string(l + 1) + ": noise and errors of the device are " + number("%.2f", residual) +
              " times its signal (calibration): smaller tiles or a better device leave less\n";
  return text;
}

}  // namespace lightloop::command
