#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {
std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\r' || c == '"'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto end = line.find(separator);
    cells.push_back(trimmed(line.substr(0, end)));
    if (end == line.npos) return cells;
    line.remove_prefix(end + 1);
  }
}

bool read_number(std::string_view cell, float& value) {
  if (cell.starts_with('+')) cell.remove_prefix(1);
  const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc{} && stop == cell.data() + cell.size();
}

std::size_t label_column(const std::vector<std::string_view>& header) {
  for (const std::string_view name : {"label", "class", "target", "y"}) {
    const auto it = std::find(header.begin(), header.end(), name);
    if (it != header.end()) return static_cast<std::size_t>(it - header.begin());
  }
  return header.size() - 1;
}
}  // namespace

Dataset read_csv(const std::string& path) {
  const auto content = read_file(path);
  std::string_view rest = content;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // byte order mark
  Dataset set;
  set.source = path;
  std::vector<float> values;
  std::size_t columns = 0, label_at = 0;
  char separator = ',';
  for (Index line_number = 1; !rest.empty(); ++line_number) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (trimmed(line).empty()) continue;
    const auto place = path + ":" + std::to_string(line_number);
    float value = 0;
    if (columns == 0) {
      if (line.find(',') == line.npos) separator = line.find(';') != line.npos ? ';' : '\t';
      const auto cells = split(line, separator);
      columns = cells.size();
      label_at = columns - 1;
      if (columns < 2)
        throw FileError(place, "one column", "at least one feature and the label", "Separate by commas.");
      if (std::none_of(cells.begin(), cells.end(), [&](auto cell) { return read_number(cell, value); })) {
        label_at = label_column(cells);
        continue;
      }
    }
    const auto cells = split(line, separator);
    if (cells.size() != columns)
      throw FileError(place, std::to_string(cells.size()) + " columns",
                      "the lines before have " + std::to_string(columns), "Complete this line or remove it.");
    for (std::size_t c = 0; c < columns; ++c) {
      const auto where = place + ", column " + std::to_string(c + 1);
      if (!read_number(cells[c], value))
        throw FileError(where, "\"" + std::string(cells[c]) + "\" is not a number", "", "Correct this value.");
      if (!std::isfinite(value))
        throw FileError(where, std::string(cells[c]), "values must be finite", "Replace or remove this sample.");
      if (c != label_at) {
        values.push_back(value);
      } else if (value < 0 || value > 255 || value != std::floor(value)) {
        throw FileError(where, "label " + std::string(cells[c]), "whole numbers 0 to 255",
                        "Number the classes from 0.");
      } else {
        set.labels.push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  if (set.labels.empty())
    throw FileError(path, "no samples in it", "", "One sample per line: features, then the label.");
  const auto features = static_cast<Index>(columns - 1);
  set.sample_shape = {features};
  set.floats.resize(set.size(), features);
  std::copy(values.begin(), values.end(), set.floats.data());
  set.classes = 1 + *std::max_element(set.labels.begin(), set.labels.end());
  return set;
}

}  // namespace lightloop
