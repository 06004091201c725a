// Settings as text: "a=1,b=4.2 mA,c='x,y'".
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/param.hpp"
#include "core/text.hpp"

namespace lightloop {
namespace {
constexpr const char* kHint = "Write key=value,key=value; quote a value that holds a comma.";

bool is_quote(char c) { return c == '\'' || c == '"'; }

template <class T>
bool read_whole(std::string_view text, T& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && stop == text.data() + text.size();
}

/// A value without quotes. "nan" and "inf" stay text: no parameter takes them as numbers.
Value bare_value(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  std::int64_t integer = 0;
  if (read_whole(text, integer) && !(integer == 0 && text.front() == '-')) return integer;  // -0 is a real
  double real = 0;
  if (read_whole(text, real) && std::isfinite(real)) return real;
  return std::string(text);
}

/// Takes one value off the front of `text`, up to the comma that ends it if `comma_ends`.
Value take_value(std::string_view& text, bool comma_ends, const std::string& key) {
  text = trimmed(text);
  if (text.empty() || !is_quote(text.front())) {
    const auto end = comma_ends ? text.find(',') : text.npos;
    const auto word = trimmed(text.substr(0, end));
    if (word.empty()) throw InvalidParameter("setting " + key, "no value after \"=\"", "", kHint);
    text.remove_prefix(end == text.npos ? text.size() : end);
    return bare_value(word);
  }
  const char quote = text.front();
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) {
      value += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == quote) {
      value += text[i++];
    } else {
      text = trimmed(text.substr(i + 1));
      if (!text.empty() && !(comma_ends && text.front() == ','))
        throw InvalidParameter("setting " + key, "\"" + std::string(text) + "\" after the closing quote", "", kHint);
      return value;
    }
  }
  throw InvalidParameter("setting " + key, "the quote is never closed", std::string(text), kHint);
}

std::string take_key(std::string_view& text) {
  const auto end = text.find('=');
  const auto comma = text.find(',');
  if (end == text.npos || comma < end)
    throw InvalidParameter("setting", "\"" + std::string(trimmed(text.substr(0, comma))) + "\"", "no \"=\" in it",
                           kHint);
  const std::string key(trimmed(text.substr(0, end)));
  if (key.empty()) throw InvalidParameter("setting", "\"" + std::string(text) + "\"", "no key before \"=\"", kHint);
  text.remove_prefix(end + 1);
  return key;
}

std::string quoted(const std::string& text) {
  const bool plain = !text.empty() && text == trimmed(text) && text.find(',') == text.npos && !is_quote(text.front()) &&
                     std::holds_alternative<std::string>(bare_value(text));
  if (plain) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}
}  // namespace

std::string to_string(const Value& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* i = std::get_if<std::int64_t>(&value)) return std::to_string(*i);
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::get<double>(value)).ptr;
  return {buffer, end};
}

Settings parse_settings(std::string_view text) {
  Settings settings;
  text = trimmed(text);
  while (!text.empty()) {
    const auto key = take_key(text);
    auto value = take_value(text, true, key);
    if (!settings.emplace(key, std::move(value)).second)
      throw InvalidParameter("setting " + key, "given twice", "", "Keep one of them.");
    if (text.empty()) break;
    text = trimmed(text.substr(1));  // the comma
    if (text.empty()) throw InvalidParameter("setting", "nothing after the last comma", "", kHint);
  }
  return settings;
}

std::string format_settings(const Settings& settings) {
  std::string text;
  for (const auto& [key, value] : settings) {
    const auto* word = std::get_if<std::string>(&value);
    text += (text.empty() ? "" : ",") + key + "=" + (word ? quoted(*word) : to_string(value));
  }
  return text;
}

std::pair<std::string, Value> parse_assignment(std::string_view text) {
  text = trimmed(text);
  auto key = take_key(text);
  auto value = take_value(text, false, key);
  return {std::move(key), std::move(value)};
}

Settings below(const Settings& all, std::string_view prefix) {
  const std::string head = std::string(prefix) + ".";
  Settings found;
  for (auto it = all.lower_bound(head); it != all.end() && it->first.starts_with(head); ++it)
    found.emplace(it->first.substr(head.size()), it->second);
  return found;
}

}  // namespace lightloop
