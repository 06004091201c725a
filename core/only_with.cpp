#include "core/only_with.hpp"

#include <algorithm>
#include <sstream>

namespace lightloop {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> all;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, at);) all.push_back(part);
  return all;
}

}  // namespace

bool Condition::holds(const Value& value) const {
  return values.empty() || std::ranges::find(values, to_string(value)) != values.end();
}

std::vector<Condition> conditions(const ParamInfo& info) {
  std::vector<Condition> all;
  for (const std::string& part : split(info.only_with, ',')) {
    const std::size_t equals = part.find('=');
    all.push_back({part.substr(0, equals)});
    if (equals != std::string::npos) all.back().values = split(part.substr(equals + 1), '|');
  }
  return all;
}

bool in_force(const ParamInfo& info, const ParamSet& settings) {
  return std::ranges::all_of(conditions(info), [&](const Condition& one) {
    return one.values.empty() || (settings.has(one.key) && one.holds(settings.value(one.key)));
  });
}

}  // namespace lightloop
