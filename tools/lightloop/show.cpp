// `lightloop show`: kind, settings and result of any file Lightloop wrote, as text or JSON.
#include <cmath>
#include <cstdio>

#include "core/hdf5.hpp"
#include "core/units.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {
namespace {
/// The attributes of an object, units ("lr.unit") folded into their values when `with_units`.
Settings attributes(const h5::Reader& file, const std::string& object, bool with_units) {
  Settings found;
  for (const auto& name : file.attribute_names(object)) {
    if (name.ends_with(".unit")) continue;
    Value value = file.attribute(object, name);
    const std::string unit_name = name + ".unit";
    if (with_units && file.has_attribute(object, unit_name))
      if (const std::string unit = to_string(file.attribute(object, unit_name)); !unit.empty() && unit != "1")
        if (const auto* real = std::get_if<double>(&value)) value = format_quantity(*real, unit);
    found[name] = value;
  }
  return found;
}

const std::vector<std::string> kGroups = {"/settings/train",  "/settings/rule", "/settings/projection",
                                          "/settings/device", "/network",       "/device",
                                          "/telemetry/start", "/telemetry/end"};
/// What the run's calibration had to warn about.
std::vector<std::string> warnings(const h5::Reader& file) {
  if (!file.exists("/telemetry") || !file.has_attribute("/telemetry", "warnings")) return {};
  return file.attribute_texts("/telemetry", "warnings");
}

const std::vector<std::string> kCurves = {"epoch",    "train_loss", "test_accuracy", "device_frames",
                                          "device_s", "device_j",   "train_s"};

/// Last value of each curve of a run.
Settings result(const h5::Reader& file) {
  Settings found;
  for (const auto& name : kCurves)
    if (const std::string path = "/curves/" + name; file.exists(path))
      if (const auto values = file.read(path).values; !values.empty()) found[name] = values.back();
  return found;
}

void print(const std::string& title, const Settings& values) {
  if (values.empty()) return;
  std::printf("\n%s\n", title.c_str());
  for (const auto& [key, value] : values) {
    const std::string text = to_string(value);
    std::printf("  %-24s %s\n", key.c_str(), text.empty() ? "-" : text.c_str());
  }
}
}  // namespace

int show(const std::string& path, Format format) {
  const h5::Reader file(path);
  if (format == Format::json) {
    Settings all = attributes(file, "/", false);
    const auto add = [&](const std::string& prefix, const Settings& values) {
      for (const auto& [key, value] : values) all[prefix + key] = value;
    };
    for (const auto& group : kGroups)
      if (file.exists(group)) add(group.substr(1) + "/", attributes(file, group, false));
    add("result/", result(file));
    std::fputs(settings_json(all, {{"warnings", warnings(file)}}).c_str(), stdout);
    return kDone;
  }
  print(path, attributes(file, "/", true));
  for (const auto& group : kGroups)
    if (file.exists(group)) print(group.substr(1), attributes(file, group, true));
  print("result", result(file));
  if (const auto said = warnings(file); !said.empty()) {
    std::puts("\nwarnings of the calibration");
    for (const auto& text : said) std::printf("  %s\n", text.c_str());
  }
  return kDone;
}

}  // namespace lightloop::command
