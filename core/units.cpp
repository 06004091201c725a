#include "core/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <numbers>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"

namespace lightloop {
namespace {
/// Exponent of every base unit; a unit this program does not know stands for itself.
using Dimension = std::map<std::string, int, std::less<>>;

struct Unit {
  double factor = 1;
  Dimension dimension = {};
  bool prefixable = false;
};

const std::map<std::string, Unit, std::less<>>& known_units() {
  constexpr double kDegree = std::numbers::pi / 180;
  static const std::map<std::string, Unit, std::less<>> units = {
      {"1", {1, {}, false}},
      {"%", {0.01, {}, false}},
      {"s", {1, {{"s", 1}}, true}},
      {"min", {60, {{"s", 1}}, false}},
      {"h", {3600, {{"s", 1}}, false}},
      {"d", {86400, {{"s", 1}}, false}},
      {"Hz", {1, {{"s", -1}}, true}},
      {"m", {1, {{"m", 1}}, true}},
      {"g", {1e-3, {{"kg", 1}}, true}},
      {"A", {1, {{"A", 1}}, true}},
      {"K", {1, {{"K", 1}}, true}},
      {"rad", {1, {{"rad", 1}}, true}},
      {"deg", {kDegree, {{"rad", 1}}, false}},
      {"J", {1, {{"kg", 1}, {"m", 2}, {"s", -2}}, true}},
      {"W", {1, {{"kg", 1}, {"m", 2}, {"s", -3}}, true}},
      {"V", {1, {{"kg", 1}, {"m", 2}, {"s", -3}, {"A", -1}}, true}},
      {"ohm", {1, {{"kg", 1}, {"m", 2}, {"s", -3}, {"A", -2}}, true}},
      {"S", {1, {{"kg", -1}, {"m", -2}, {"s", 3}, {"A", 2}}, true}},
      {"C", {1, {{"A", 1}, {"s", 1}}, true}},
      {"F", {1, {{"kg", -1}, {"m", -2}, {"s", 4}, {"A", 2}}, true}},
  };
  return units;
}

struct Prefix {
  std::string_view text;
  double factor;
};
constexpr std::array<Prefix, 12> kPrefixes = {{{"f", 1e-15},
                                               {"p", 1e-12},
                                               {"n", 1e-9},
                                               {"u", 1e-6},
                                               {"\u00b5", 1e-6},
                                               {"\u03bc", 1e-6},
                                               {"m", 1e-3},
                                               {"c", 1e-2},
                                               {"k", 1e3},
                                               {"M", 1e6},
                                               {"G", 1e9},
                                               {"T", 1e12}}};

/// One word of a unit, without exponent; `own` are words of the parameter's unit, which need not be known.
std::optional<Unit> find_word(std::string_view word, const Dimension* own) {
  if (word == "\u03a9" || word == "\u2126") word = "ohm";
  const auto& units = known_units();
  if (const auto it = units.find(word); it != units.end()) return it->second;
  for (const auto& prefix : kPrefixes) {
    if (!word.starts_with(prefix.text)) continue;
    std::string_view rest = word.substr(prefix.text.size());
    if (rest == "\u03a9" || rest == "\u2126") rest = "ohm";
    if (const auto it = units.find(rest); it != units.end() && it->second.prefixable)
      return Unit{prefix.factor * it->second.factor, it->second.dimension, true};
  }
  if (!own || own->count(word)) return Unit{1, {{std::string(word), 1}}, false};
  return std::nullopt;
}

/// A product such as "mA/W" or "nm^2". Nothing when a word is unknown or the text is malformed.
std::optional<Unit> find_unit(std::string_view text, const Dimension* own) {
  Unit product;
  int sign = 1;
  while (true) {
    const auto end = text.find_first_of("*/");
    auto word = trimmed(text.substr(0, end));
    int exponent = 1;
    if (const auto caret = word.find('^'); caret != word.npos) {
      const auto digits = word.substr(caret + 1);
      const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
      if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
      word = word.substr(0, caret);
    }
    if (word.empty()) return std::nullopt;
    const auto unit = find_word(word, own);
    if (!unit) return std::nullopt;
    product.factor *= std::pow(unit->factor, sign * exponent);
    for (const auto& [base, power] : unit->dimension) {
      if ((product.dimension[base] += sign * exponent * power) == 0) product.dimension.erase(base);
    }
    if (end == text.npos) return product;
    sign = text[end] == '/' ? -1 : 1;
    text.remove_prefix(end + 1);
  }
}

Dimension dimension_of(std::string_view si_unit) {
  if (si_unit.empty()) return {};
  const auto unit = find_unit(si_unit, nullptr);
  return unit ? unit->dimension : Dimension{};
}

std::string shown(std::string_view si_unit) {
  return si_unit.empty() || si_unit == "1" ? "a pure number" : "a unit of " + std::string(si_unit);
}

double finite(double value, std::string_view text, std::string_view parameter) {
  if (!std::isfinite(value)) throw InvalidParameter(std::string(parameter), std::string(text), "must be finite");
  return value;
}
}  // namespace

double unit_factor(std::string_view unit, std::string_view si_unit, std::string_view parameter) {
  unit = trimmed(unit);
  const auto expected = dimension_of(si_unit);
  if (unit == "dB" || unit == "dBm" || unit == "degC")
    throw InvalidParameter(std::string(parameter), std::string(unit), "not a plain factor",
                           "Give every value its own unit, as in \"3 " + std::string(unit) + "\".");
  const auto found = find_unit(unit, &expected);
  if (!found)
    throw InvalidParameter(std::string(parameter), "unknown unit \"" + std::string(unit) + "\"",
                           "expected " + shown(si_unit),
                           "Known: s m g A W Hz V J K rad ohm S C F with prefixes f p n u m c k M G T; "
                           "min h d deg degC % dB dBm.");
  if (found->dimension != expected)
    throw InvalidParameter(std::string(parameter), "\"" + std::string(unit) + "\" measures something else",
                           "expected " + shown(si_unit));
  return found->factor;
}

double to_si(double value, std::string_view unit, std::string_view si_unit, std::string_view parameter) {
  unit = trimmed(unit);
  const auto expected = dimension_of(si_unit);
  if (unit == "dB" && expected.empty()) return std::pow(10.0, value / 10);
  if (unit == "dBm" && expected == dimension_of("W")) return 1e-3 * std::pow(10.0, value / 10);
  if (unit == "degC" && expected == dimension_of("K")) return value + 273.15;
  if (unit == "dB" || unit == "dBm" || unit == "degC")
    throw InvalidParameter(std::string(parameter), "\"" + std::string(unit) + "\" measures something else",
                           "expected " + shown(si_unit));
  return value * unit_factor(unit, si_unit, parameter);
}

double parse_quantity(std::string_view text, std::string_view unit, std::string_view parameter) {
  const auto all = trimmed(text);
  auto digits = all;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    throw InvalidParameter(std::string(parameter), std::string(text), "too large or too small for a number");
  if (error != std::errc{} || (all.starts_with('+') && digits.starts_with('-')))
    throw InvalidParameter(std::string(parameter), "\"" + std::string(text) + "\" is not a number",
                           "expected " + shown(unit), "Write a number and a unit, as in \"400 us\".");
  const auto rest = trimmed(digits.substr(static_cast<std::size_t>(stop - digits.data())));
  finite(value, text, parameter);
  return rest.empty() ? value : finite(to_si(value, rest, unit, parameter), text, parameter);
}

std::string format_quantity(double value, std::string_view unit) {
  char buffer[64];
  const auto print = [&](double number, std::string_view prefix) {
    std::snprintf(buffer, sizeof buffer, "%.6g", number);
    std::string text = buffer;
    if (!unit.empty() && unit != "1") text += " " + std::string(prefix) + std::string(unit);
    return text;
  };
  const auto it = known_units().find(unit);
  const bool scaled = it != known_units().end() && it->second.prefixable && std::isfinite(value) && value != 0;
  if (!scaled) return print(value, "");
  constexpr std::array<Prefix, 9> kSteps = {
      {{"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}}};
  const bool large = unit != "s" && unit != "K" && unit != "rad";  // nobody writes kiloseconds
  for (const auto& step : kSteps) {
    if (step.factor == 1e3 && !large) return print(value, "");
    std::snprintf(buffer, sizeof buffer, "%.6g", std::abs(value) / step.factor);
    if (std::strtod(buffer, nullptr) < 1000) return print(value / step.factor, step.text);
  }
  return print(value / 1e12, "T");
}

}  // namespace lightloop
