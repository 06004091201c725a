// `lightloop devices`: the catalogue, read from the records of the models; also the source of docs/devices.md.
#include <cstdio>

#include "driver/api/discover.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {
namespace {
std::string unit_of(const ParamInfo& info) { return info.unit.empty() ? "-" : info.unit; }

void print_text(const DeviceModel& model) {
  std::printf("%s (%s): %s\n", model.name.c_str(), model.kind.c_str(), model.summary.c_str());
  std::printf(model.source.empty() ? "%s\n" : "  source: %s\n\n", model.source.c_str());
  std::vector<std::vector<std::string>> rows = {{"setting", "unit", "default", "range", "what it is"}};
  for (const auto& info : model.params)
    rows.push_back({info.name, unit_of(info), default_of(info), range_of(info),
                    info.help + (info.needs_reopen ? " (only when opened)" : "")});
  std::fputs(table(rows).c_str(), stdout);
  for (const auto& [name, settings] : model.presets)
    std::printf("\n  preset=%s: %s\n", name.c_str(),
                settings.empty() ? "the defaults" : format_settings(settings).c_str());
  std::puts("");
}

void print_markdown(const DeviceModel& model) {
  std::printf("\n## %s\n\n%s. Kind: %s. Source: %s.\n\n", model.name.c_str(), model.summary.c_str(), model.kind.c_str(),
              model.source.c_str());
  std::puts("| setting | unit | default | range | what it is |\n|---|---|---|---|---|");
  for (const auto& info : model.params)
    std::printf("| `%s` | %s | %s | %s | %s |\n", info.name.c_str(), unit_of(info).c_str(), default_of(info).c_str(),
                in_table(range_of(info)).c_str(),
                in_table(info.help + (info.needs_reopen ? " (only when opened)" : "")).c_str());
  if (!model.presets.empty()) std::puts("\n| preset | sets |\n|---|---|");
  for (const auto& [name, settings] : model.presets)
    std::printf("| `%s` | %s |\n", name.c_str(),
                settings.empty() ? "the defaults" : ("`" + format_settings(settings) + "`").c_str());
}
void print_found(const std::vector<Found>& found) {
  if (found.empty()) {
    std::puts(
        "Nothing else was found here (LIGHTLOOP_PLUGIN_PATH names folders of plugins, LIGHTLOOP_DEVICES a list).");
    return;
  }
  std::puts("Found here:");
  for (const Found& one : found)
    std::printf("%s %s: %s\n", one.problem.empty() ? "✓" : "✗", one.address.c_str(),
                (one.problem.empty() ? one.summary : one.problem).c_str());
}

/// A device that only its string describes, as a record.
DeviceModel record_of(const std::string& address, const Registry& registry) {
  const auto device = registry.open(address);
  const DeviceInfo info = device->describe();
  DeviceModel model;
  model.name = address;
  model.kind = info.kind;
  model.summary = info.model + ", " + std::to_string(info.input.size()) + " inputs of " +
                  std::to_string(info.input.bits) + " bit, " + std::to_string(info.output.size()) + " outputs of " +
                  std::to_string(info.output.bits) + " bit" + (info.serial.empty() ? "" : ", serial " + info.serial);
  model.params = device->settings().infos();
  device->close();
  return model;
}
}  // namespace

int devices(const std::string& name, Format format, const Registry& registry) {
  std::vector<DeviceModel> models = registry.models();
  std::vector<Found> found;
  if (name.empty()) {
    if (format != Format::markdown) found = discover(registry, configured_devices());
    for (DeviceModel& model : models) model.name = "sim:" + model.name;
  } else if (name.find(':') != std::string::npos && !name.starts_with("sim:")) {
    models = {record_of(name, registry)};
  } else {
    models = {registry.model(name.starts_with("sim:") ? name.substr(4) : name)};
    models[0].name = "sim:" + models[0].name;
  }
  if (format == Format::json) {
    std::fputs(devices_json(models, found).c_str(), stdout);
    return kDone;
  }
  if (format == Format::markdown)
    std::puts(
        "# Devices\n\nMade by `lightloop devices --markdown`. A device string is `sim:NAME,setting=value,...`; values "
        "may "
        "carry a unit (`400 us`), `preset=NAME` comes first and single settings override it.");
  for (const auto& model : models) format == Format::markdown ? print_markdown(model) : print_text(model);
  if (name.empty() && format == Format::text) print_found(found);
  return kDone;
}

}  // namespace lightloop::command
