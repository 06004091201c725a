#include "driver/api/registry.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& known) {
  const auto near = nearest(name, known);
  return near ? "Did you mean " + *near + "?" : "";
}
}  // namespace

Registry::Registry() {
  backends_["sim"] = [](const DeviceAddress& address, const Registry& registry) {
    const DeviceModel& found = registry.model(address.target);
    return found.open(registry.resolve(found, address.settings));
  };
}

void Registry::add(DeviceModel added) {
  if (!added.open) throw InvalidParameter("device model", added.name, "its record has no `open`");
  for (const DeviceModel& other : models_)
    if (other.name == added.name) throw InvalidParameter("device model", added.name, "this name is taken already");
  resolve(added, {});
  for (const auto& [name, settings] : added.presets) resolve(added, {{"preset", name}});
  models_.push_back(std::move(added));
}

void Registry::add_backend(const std::string& prefix, Backend backend) {
  if (!backends_.emplace(prefix, std::move(backend)).second)
    throw InvalidParameter("device backend", prefix, "this prefix is taken already");
}

const DeviceModel& Registry::model(const std::string& name) const {
  std::vector<std::string> known;
  for (const DeviceModel& one : models_) {
    if (one.name == name) return one;
    known.push_back(one.name);
  }
  throw UnknownName("device model", name, "known: " + listed(known), suggestion(name, known));
}

std::vector<std::string> Registry::backends() const {
  std::vector<std::string> names;
  for (const auto& [name, backend] : backends_) names.push_back(name);
  return names;
}

std::unique_ptr<Device> Registry::open(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  const auto backend = backends_.find(parsed.backend);
  if (backend == backends_.end())
    throw UnknownName("device backend", parsed.backend, "known: " + listed(backends()),
                      suggestion(parsed.backend, backends()));
  return backend->second(parsed, *this);
}

std::unique_ptr<Twin> Registry::twin(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  if (parsed.backend != "sim")
    throw Unsupported("twin", to_string(parsed), "only simulated devices (sim:MODEL) bring their own twin");
  const DeviceModel& found = model(parsed.target);
  if (!found.twin) throw Unsupported("twin", to_string(parsed), "the model " + found.name + " has none");
  return found.twin(resolve(found, parsed.settings));
}

ParamSet Registry::resolve(const DeviceModel& model, const Settings& settings) const {
  std::vector<ParamInfo> infos = model.params;
  if (!model.presets.empty()) {
    ParamInfo preset{.name = "preset",
                     .unit = "",
                     .default_value = std::string("none"),
                     .help = "a named set of settings; keys given beside it win"};
    preset.choices.push_back("none");
    for (const auto& [name, values] : model.presets) preset.choices.push_back(name);
    preset.needs_reopen = true;
    infos.push_back(std::move(preset));
  }
  ParamSet params("sim:" + model.name, std::move(infos));
  if (const auto chosen = settings.find("preset"); chosen != settings.end() && params.has("preset")) {
    params.set({*chosen});
    if (params.text("preset") != "none") params.set(model.presets.at(params.text("preset")));
  }
  params.set(settings);
  return params;
}

}  // namespace lightloop
