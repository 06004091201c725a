#include "training/sweep/text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace lightloop::sweeps {
namespace {
/// The code point at `i`, which moves past it; bytes that are no UTF-8 stand for themselves.
std::uint32_t code_point(const std::string& text, std::size_t& i) {
  const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k])); };
  const std::uint32_t first = byte(i++);
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  if (more == 0 || i + static_cast<std::size_t>(more) > text.size()) return first;
  std::uint32_t point = first & (0x3Fu >> more);
  for (int k = 0; k < more; ++k) point = point << 6 | (byte(i++) & 0x3F);
  return point;
}

std::string hexadecimal(std::uint32_t unit, int digits) {
  char buffer[8];
  std::snprintf(buffer, sizeof buffer, "%0*x", digits, unit & 0xFFFF);
  return buffer;
}
std::string escaped(std::uint32_t unit) { return "\\u" + hexadecimal(unit, 4); }

std::string quoted(const std::string& text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const std::uint32_t c = code_point(text, i);
    if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\\' || c == static_cast<std::uint32_t>(quote))
      result += {'\\', static_cast<char>(c)};
    else if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD)
      result += "\\x" + hexadecimal(c, 2);
    else
      result += text.substr(begin, i - begin);
  }
  return result + quote;
}
}  // namespace

std::string repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 400> buffer;
  const auto write = [&](std::chars_format format) {
    return std::string(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr);
  };
  const std::string scientific = write(std::chars_format::scientific);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  const std::string fixed = write(std::chars_format::fixed);
  return fixed.find('.') == fixed.npos ? fixed + ".0" : fixed;
}

std::string shown(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "True" : "False";
  if (const auto* real = std::get_if<double>(&value)) return repr(*real);
  return to_string(value);
}

std::string repr(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? quoted(*text) : shown(value);
}

std::string json(const std::string& text) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t c = code_point(text, i);
    if (c == '"' || c == '\\')
      result += {'\\', static_cast<char>(c)};
    else if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\b')
      result += "\\b";
    else if (c == '\f')
      result += "\\f";
    else if (c >= 0x20 && c < 0x7F + 1)
      result += static_cast<char>(c);
    else if (c > 0xFFFF)
      result += escaped(0xD800 + ((c - 0x10000) >> 10)) + escaped(0xDC00 + ((c - 0x10000) & 0x3FF));
    else
      result += escaped(c);
  }
  return result + '"';
}

std::string json(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return json(*text);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  const auto* real = std::get_if<double>(&value);
  if (real && !std::isfinite(*real)) return std::isnan(*real) ? "NaN" : *real > 0 ? "Infinity" : "-Infinity";
  return shown(value);
}

std::string json(const Settings& values) {
  std::string result;
  for (const auto& [key, value] : values) result += (result.empty() ? "" : ", ") + json(key) + ": " + json(value);
  return "{" + result + "}";
}

std::string json(const std::vector<Value>& values) {
  std::vector<std::string> parts;
  for (const Value& value : values) parts.push_back(json(value));
  return json_array(parts);
}

std::string json_array(const std::vector<std::string>& parts) {
  std::string result;
  for (const auto& part : parts) result += (result.empty() ? "" : ", ") + part;
  return "[" + result + "]";
}

}  // namespace lightloop::sweeps
