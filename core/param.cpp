#include "core/param.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop {
namespace {
const char* kind_name(const Value& value) {
  constexpr const char* kNames[] = {"a switch (true or false)", "a whole number", "a number", "text"};
  return kNames[value.index()];
}

std::string with_unit(double value, const std::string& unit) {
  return to_string(Value(value)) + (unit.empty() || unit == "1" ? "" : " " + unit);
}

std::string range_text(const ParamInfo& info) {
  if (!std::isfinite(info.max)) return "at least " + format_quantity(info.min, info.unit);
  if (!std::isfinite(info.min)) return "at most " + format_quantity(info.max, info.unit);
  return "allowed " + format_quantity(info.min, info.unit) + " to " + format_quantity(info.max, info.unit);
}

std::string list(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Checks one value against one record; `subject` names both in messages.
class Checker {
 public:
  Checker(const ParamInfo& info, std::string subject, std::string key_unit)
      : info_(info), subject_(std::move(subject)), key_unit_(std::move(key_unit)) {}

  Value operator()(const Value& given) const {
    switch (info_.default_value.index()) {
      case 0:
        return as_switch(given);
      case 1:
        return as_integer(given);
      case 2:
        return in_range(as_number(given), given);
      default:
        return as_text(given);
    }
  }

 private:
  [[noreturn]] void wrong_kind(const Value& given) const {
    throw InvalidParameter(subject_, "\"" + to_string(given) + "\" is " + kind_name(given),
                           std::string("expected ") + kind_name(info_.default_value), info_.help);
  }
  Value as_switch(const Value& given) const {
    if (std::holds_alternative<bool>(given)) return given;
    const auto* word = std::get_if<std::string>(&given);
    if (word && (*word == "true" || *word == "on" || *word == "yes")) return true;
    if (word && (*word == "false" || *word == "off" || *word == "no")) return false;
    wrong_kind(given);
  }
  double as_number(const Value& given) const {
    if (std::holds_alternative<bool>(given)) wrong_kind(given);
    if (const auto* word = std::get_if<std::string>(&given)) {
      const double value = parse_quantity(*word, key_unit_.empty() ? info_.unit : "1", subject_);
      return key_unit_.empty() ? value : to_si(value, key_unit_, info_.unit, subject_);
    }
    const auto* integer = std::get_if<std::int64_t>(&given);
    const double value = integer ? static_cast<double>(*integer) : std::get<double>(given);
    if (!std::isfinite(value)) throw InvalidParameter(subject_, to_string(given), "must be finite", info_.help);
    return key_unit_.empty() ? value : to_si(value, key_unit_, info_.unit, subject_);
  }
  Value in_range(double value, const Value& given) const {
    if (info_.min != info_.max && !(value >= info_.min && value <= info_.max)) {
      const bool text = std::holds_alternative<std::string>(given);
      throw OutOfRange(subject_, text ? to_string(given) : with_unit(value, info_.unit), range_text(info_), info_.help);
    }
    return value;
  }
  Value as_integer(const Value& given) const {
    if (std::holds_alternative<std::int64_t>(given) && key_unit_.empty()) {
      in_range(static_cast<double>(std::get<std::int64_t>(given)), given);
      return given;  // not through double, which would round a large seed
    }
    const double value = as_number(given);
    if (value != std::floor(value))
      throw InvalidParameter(subject_, to_string(given), "must be a whole number", info_.help);
    in_range(value, given);
    if (std::abs(value) > 0x1p53)
      throw OutOfRange(subject_, to_string(given), "beyond 2^53 only written out as a plain integer", info_.help);
    return static_cast<std::int64_t>(value);
  }
  Value as_text(const Value& given) const {
    if (!key_unit_.empty()) throw InvalidParameter(subject_, "[" + key_unit_ + "]", "text has no unit", info_.help);
    const auto* word = std::get_if<std::string>(&given);
    if (!word)
      throw InvalidParameter(subject_, to_string(given) + " is " + kind_name(given), "expected text",
                             "Put it in quotes: '" + to_string(given) + "'.");
    if (!info_.choices.empty() && std::find(info_.choices.begin(), info_.choices.end(), *word) == info_.choices.end()) {
      const auto near = nearest(*word, info_.choices);
      throw UnknownName(subject_, "\"" + *word + "\"", "one of: " + list(info_.choices),
                        near ? "Did you mean \"" + *near + "\"?" : "");
    }
    return given;
  }

  const ParamInfo& info_;
  std::string subject_, key_unit_;
};

/// "bias[mA]" -> "bias", "mA".
std::pair<std::string, std::string> split_key(const std::string& key) {
  const auto open = key.find('[');
  if (open == key.npos || key.back() != ']') return {key, ""};
  return {key.substr(0, open), key.substr(open + 1, key.size() - open - 2)};
}
}  // namespace

ParamSet::ParamSet(std::string owner, std::vector<ParamInfo> infos)
    : owner_(std::move(owner)), infos_(std::move(infos)) {
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    const auto same = [&](const ParamInfo& other) { return other.name == infos_[i].name; };
    if (std::any_of(infos_.begin(), infos_.begin() + static_cast<std::ptrdiff_t>(i), same))
      throw InvalidParameter(owner_ + ": " + infos_[i].name, "declared twice", "", "Give each parameter its own name.");
    values_.push_back(Checker(infos_[i], owner_ + ": default of " + infos_[i].name, "")(infos_[i].default_value));
  }
}

void ParamSet::set(const Settings& changes) {
  auto values = values_;
  std::vector<bool> taken(infos_.size(), false);
  for (const auto& [key, given] : changes) {
    const auto [name, unit] = split_key(key);
    const auto i = find(name);
    if (taken[i]) throw InvalidParameter(owner_ + ": " + name, "given twice", "with and without a unit");
    taken[i] = true;
    values[i] = Checker(infos_[i], owner_ + ": " + name, unit)(given);
  }
  values_ = std::move(values);
}

std::size_t ParamSet::find(std::string_view name) const {
  for (std::size_t i = 0; i < infos_.size(); ++i)
    if (infos_[i].name == name) return i;
  std::vector<std::string> names, members;
  for (const auto& info : infos_) {
    names.push_back(info.name);
    if (info.name.starts_with(std::string(name) + ".")) members.push_back(info.name);
  }
  std::string hint = names.empty() ? "It has no settings." : "Known: " + list(names) + ".";
  if (const auto near = nearest(name, names)) hint = "Did you mean \"" + *near + "\"?";
  if (!members.empty()) hint = "It is a group: " + list(members) + ".";
  throw UnknownName(owner_, "unknown setting \"" + std::string(name) + "\"", "", hint);
}

const Value& ParamSet::value(std::string_view name) const { return values_[find(name)]; }

bool ParamSet::boolean(std::string_view name) const {
  if (const auto* found = std::get_if<bool>(&value(name))) return *found;
  throw InvalidParameter(owner_ + ": " + std::string(name), std::string("is ") + kind_name(value(name)),
                         "read as switch");
}

std::int64_t ParamSet::integer(std::string_view name) const {
  if (const auto* found = std::get_if<std::int64_t>(&value(name))) return *found;
  throw InvalidParameter(owner_ + ": " + std::string(name), std::string("is ") + kind_name(value(name)),
                         "read as integer");
}

double ParamSet::real(std::string_view name) const {
  if (const auto* found = std::get_if<double>(&value(name))) return *found;
  return static_cast<double>(integer(name));
}

const std::string& ParamSet::text(std::string_view name) const {
  if (const auto* found = std::get_if<std::string>(&value(name))) return *found;
  throw InvalidParameter(owner_ + ": " + std::string(name), std::string("is ") + kind_name(value(name)),
                         "read as text");
}

bool ParamSet::is_default(std::string_view name) const {
  const auto i = find(name);
  return values_[i] == infos_[i].default_value;
}

bool ParamSet::has(std::string_view name) const {
  return std::any_of(infos_.begin(), infos_.end(), [&](const ParamInfo& info) { return info.name == name; });
}

Settings ParamSet::all() const {
  Settings settings;
  for (std::size_t i = 0; i < infos_.size(); ++i) settings.emplace(infos_[i].name, values_[i]);
  return settings;
}

}  // namespace lightloop
