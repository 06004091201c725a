#include "driver/api/device_list.hpp"

#include <charconv>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "driver/api/registry.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kMost = 4096;  // assumed: more than any bench has

/// One past the quoted value that begins at `at`, where one does; a quote inside it is written twice.
std::size_t past_quotes(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::size_t before = text.substr(0, at).find_last_not_of(" \t");
  if ((quote != '\'' && quote != '"') || before == text.npos || text[before] != '=') return at;
  for (++at; at < text.size(); ++at) {
    if (text[at] != quote) continue;
    if (at + 1 == text.size() || text[at + 1] != quote) return at + 1;
    ++at;
  }
  return at;
}

/// Where `wanted` stands outside of quotes, from `at` on.
std::size_t find_plain(std::string_view text, char wanted, std::size_t at = 0) {
  while (at < text.size()) {
    if (const std::size_t past = past_quotes(text, at); past > at)
      at = past;
    else if (text[at] == wanted)
      return at;
    else
      ++at;
  }
  return text.npos;
}

bool begins_device(std::string_view piece) {
  const std::size_t assignment = piece.find('=');
  return piece.find(':') < assignment || (assignment == piece.npos && piece.ends_with(".toml"));
}

struct Range {
  std::size_t begin, end;  ///< "{0..3}" in the text
  long first, last;
  std::size_t width;  ///< of numbers with leading zeros
};

std::optional<Range> find_range(std::string_view text) {
  const auto number = [](std::string_view digits, long& to) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return error == std::errc{} && end == digits.data() + digits.size() && to >= 0;
  };
  for (std::size_t at = find_plain(text, '{'); at != text.npos; at = find_plain(text, '{', at + 1)) {
    const std::size_t end = text.find('}', at), dots = text.find("..", at);
    if (end == text.npos || dots == text.npos || dots > end) continue;
    const std::string_view from = text.substr(at + 1, dots - at - 1), to = text.substr(dots + 2, end - dots - 2);
    Range range{at, end + 1, 0, 0, from.starts_with('0') ? from.size() : 0};
    if (number(from, range.first) && number(to, range.last)) return range;
  }
  return {};
}

void count(const std::string& text, std::vector<std::string>& all) {
  const auto range = find_range(text);
  if (!range) {
    if (all.size() == kMost)
      throw OutOfRange("device string", '"' + text + '"', "at most " + std::to_string(kMost) + " devices");
    all.push_back(text);
    return;
  }
  if (range->first > range->last)
    throw InvalidParameter("device string", '"' + text + '"', "a range that runs backwards", "Write {0..3}.");
  for (long i = range->first; i <= range->last; ++i) {
    std::string number = std::to_string(i);
    if (number.size() < range->width) number.insert(0, range->width - number.size(), '0');
    count(text.substr(0, range->begin) + number + text.substr(range->end), all);
  }
}

}  // namespace

std::vector<std::string> counted(const std::string& text) {
  std::vector<std::string> all;
  count(text, all);
  return all;
}

std::vector<std::string> split_devices(const std::string& text) {
  std::vector<std::string> strings;
  for (std::size_t begin = 0, end = 0; end != text.npos; begin = end + 1) {
    end = find_plain(text, ',', begin);
    const std::string piece = text.substr(begin, end == text.npos ? end : end - begin);
    const std::size_t word = piece.find_first_not_of(" \t");
    if (strings.empty() || (word != piece.npos && begins_device(piece)))
      strings.push_back(word == piece.npos ? piece : piece.substr(word));
    else
      strings.back() += "," + piece;
  }
  return strings;
}

std::vector<std::string> device_list(const std::string& text) {
  std::vector<std::string> all;
  for (const std::string& one : split_devices(text)) {
    const bool file = one.ends_with(".toml") && !find_range(one);
    const std::string inside = file ? to_string(parse_address(one)) : one;
    count(find_range(inside) ? inside : one, all);
  }
  return all;
}

}  // namespace lightloop
