// TOML files as settings. The only file that includes toml++.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/param.hpp"

namespace lightloop {
namespace {
std::string place(const std::string& path, const toml::source_region& source) {
  return path + ":" + std::to_string(source.begin.line) + ":" + std::to_string(source.begin.column);
}

Value scalar(const toml::node& node, const std::string& key, const std::string& path) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  const auto* real = node.as_floating_point();
  if (real && std::isfinite(real->get())) return real->get();
  throw FileError(place(path, node.source()),
                  real ? key + " is not finite" : key + " is neither text, number nor switch", "",
                  "Settings are text, finite numbers, true or false.");
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& path, Settings& settings) {
  for (const auto& [name, node] : table) {
    const auto key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      flatten(*inner, key + ".", path, settings);
      continue;
    }
    Value value;
    if (const auto* array = node.as_array()) {
      std::string joined;
      for (const auto& item : *array) joined += (joined.empty() ? "" : ",") + to_string(scalar(item, key, path));
      value = joined;
    } else {
      value = scalar(node, key, path);
    }
    if (!settings.emplace(key, std::move(value)).second)
      throw FileError(place(path, node.source()), key + " is given twice", "", "Keep one of them.");
  }
}
}  // namespace

Settings read_toml(const std::string& path) {
  const auto result = toml::parse(read_file(path), path);
  if (!result)
    throw FileError(place(path, result.error().source()), std::string(result.error().description()), "",
                    "Correct this line of the TOML file.");
  Settings settings;
  flatten(result.table(), "", path, settings);
  return settings;
}

}  // namespace lightloop
