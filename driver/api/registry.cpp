#include "driver/api/registry.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/api/candidate.hpp"

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

std::unique_ptr<Device> open_model(const DeviceAddress& address, const Registry& registry) {
  const DeviceModel& found = registry.model(address.target);
  return found.open(registry.resolve(found, address.settings));
}

std::unique_ptr<Twin> open_twin(const DeviceAddress& address, const Registry& registry) {
  const DeviceModel& found = registry.model(address.target);
  if (!found.twin) throw Unsupported("twin", to_string(address), "the model " + found.name + " has none");
  return found.twin(registry.resolve(found, address.settings));
}
}  // namespace

Registry::Registry() {
  Backend sim = open_model;
  sim.params = [](const DeviceAddress& address, const Registry& registry) {
    return registry.model(address.target).params;
  };
  sim.twin = open_twin;
  sim.many = true;
  backends_["sim"] = std::move(sim);
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

const Backend& Registry::backend(const std::string& prefix) const {
  const auto found = backends_.find(prefix);
  if (found == backends_.end())
    throw UnknownName("device backend", prefix, "known: " + listed(backends()), suggestion(prefix, backends()));
  return found->second;
}

std::unique_ptr<Device> Registry::open(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  return open(parsed);
}

std::unique_ptr<Device> Registry::open(const DeviceAddress& address) const {
  auto device = backend(address.backend).open(address, *this);
  if (!device) throw DeviceError(to_string(address), "opening gave no device");
  return device;
}

std::vector<ParamInfo> Registry::open_params(const std::string& address) const {
  const DeviceAddress parsed = parse_address(address);
  const Backend& found = backend(parsed.backend);
  if (!found.params) return {};
  std::vector<ParamInfo> params = found.params(parsed, *this);
  std::erase_if(params, [&](const ParamInfo& info) { return parsed.settings.contains(info.name); });
  return params;
}

std::unique_ptr<Twin> Registry::twin(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  const Backend& found = backend(parsed.backend);
  if (!found.twin)
    throw Unsupported("twin", to_string(parsed), "the backend " + parsed.backend + " brings none",
                      "Simulated devices (sim:MODEL) bring their own; layer.twin names one for layers, train.map_twin "
                      "for physics in front of them.");
  return found.twin(parsed, *this);
}

std::vector<PhysicsRow> Registry::physics(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  if (parsed.backend != "sim")
    throw Unsupported("physics", to_string(parsed), "only simulated devices (sim:MODEL) measure their own");
  const DeviceModel& found = model(parsed.target);
  if (!found.physics) throw Unsupported("physics", to_string(parsed), "the model " + found.name + " measures none");
  return found.physics(resolve(found, parsed.settings));
}

std::unique_ptr<Candidate> Registry::candidate(const std::string& address, const Settings& extra) const {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  const Backend& found = backend(parsed.backend);
  if (found.candidate) return found.candidate(parsed, *this);
  open(parsed)->close();  // what cannot be opened at all is the caller's mistake, not a failed check
  return candidate_of([known = std::make_shared<Registry>(*this), parsed](const Settings& more) {
    DeviceAddress with = parsed;
    for (const auto& [key, value] : more) with.settings[key] = value;
    return known->open(with);
  });
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
