#include "training/sweep/axis.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "driver/api/session.hpp"
#include "training/sweep/text.hpp"

namespace lightloop::sweeps {
namespace {
/// "injection.rate_per_s" -> "injection.rate".
std::string without_unit(std::string name) {
  const auto strip = [&](const std::string& tail) {
    const bool found = name.size() > tail.size() && name.ends_with(tail);
    if (found) name.resize(name.size() - tail.size());
    return found;
  };
  const char* const units[] = {"_a", "_v", "_w", "_s", "_m", "_k", "_j", "_hz", "_rad"};
  if (std::any_of(std::begin(units), std::end(units), strip)) {
    strip("_per");
    strip("_rad");
  }
  return name;
}

std::string last_word(const std::string& name) { return name.substr(name.rfind('.') + 1); }

template <class Test>
std::vector<const ParamInfo*> select(const std::vector<ParamInfo>& params, Test test) {
  std::vector<const ParamInfo*> found;
  for (const ParamInfo& info : params)
    if (test(info.name)) found.push_back(&info);
  return found;
}

const ParamInfo& find(const Axis& axis, const std::vector<ParamInfo>& params) {
  const std::string wanted = axis.name.substr(std::string("device.").size());
  auto found = select(params, [&](const std::string& n) { return n == wanted; });
  if (found.empty()) found = select(params, [&](const std::string& n) { return without_unit(n) == wanted; });
  if (found.empty()) found = select(params, [&](const std::string& n) { return last_word(without_unit(n)) == wanted; });
  if (found.size() == 1) return *found[0];
  std::string hint;
  for (const ParamInfo* info : found) hint += (hint.empty() ? "" : " or ") + ("device." + info->name);
  if (found.empty()) {
    std::vector<std::string> names;
    for (const ParamInfo& info : params) names.push_back(without_unit(info.name));
    if (const auto near = nearest(wanted, names))
      hint = "device." + select(params, [&](const std::string& n) { return without_unit(n) == *near; })[0]->name;
  }
  throw UnknownName("over", "\"" + axis.key + "\"", found.empty() ? "not a setting" : "several settings end so",
                    hint.empty() ? "" : "Did you mean " + hint + "?");
}
}  // namespace

Axis::Axis(std::string full, std::vector<Value> given) : key(std::move(full)), name(key), values(std::move(given)) {
  if (const auto open = key.find('['); open != key.npos) {
    name = key.substr(0, open);
    unit = key.substr(open + 1);
    if (unit.ends_with(']')) unit.pop_back();
  }
  const std::string what = "over \"" + key + "\"";
  if (values.empty()) throw InvalidParameter(what, "empty", "at least one value");
  std::set<std::string> seen;
  for (const Value& value : values)
    if (!seen.insert(repr(value)).second) throw InvalidParameter(what, repr(value) + " twice", "values that differ");
}

Value Axis::setting(Index i) const {
  const Value& value = values[static_cast<std::size_t>(i)];
  if (unit.empty()) return value;
  return repr(value) + " " + unit;
}

void bind_axes(const Registry& registry, const std::string& device, std::vector<Axis>& axes) {
  if (std::none_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.of_device(); })) return;
  DeviceAddress bare = parse_address(device);
  bare.settings.clear();
  auto params = registry.open_params(to_string(bare));
  if (params.empty()) params = open_session(registry, device)->settings().infos();
  for (Axis& axis : axes) {
    if (!axis.of_device()) continue;
    const ParamInfo& info = find(axis, params);
    axis.setting_name = info.name;
    axis.needs_reopen = info.needs_reopen;
    if (axis.unit.empty()) axis.unit_shown = info.unit;
    ParamSet one("over \"" + axis.key + "\"", {info});
    for (std::size_t i = 0; i < axis.values.size(); ++i) one.set({{info.name, axis.setting(static_cast<Index>(i))}});
  }
}

}  // namespace lightloop::sweeps
