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
using Lists = std::map<std::string, std::vector<std::string>>;

/// The attributes of an object, units ("lr.unit") folded into their values when `with_units`; lists are left out.
Settings attributes(const h5::Reader& file, const std::string& object, bool with_units) {
  Settings found;
  for (const auto& name : file.attribute_names(object)) {
    if (name.ends_with(".unit") || file.holds_list(object, name)) continue;
    Value value = file.attribute(object, name);
    const std::string unit_name = name + ".unit";
    if (with_units && file.has_attribute(object, unit_name))
      if (const std::string unit = to_string(file.attribute(object, unit_name)); !unit.empty() && unit != "1")
        if (const auto* real = std::get_if<double>(&value)) value = format_quantity(*real, unit);
    found[name] = value;
  }
  return found;
}

/// Those of the root that are lists of texts.
Lists lists(const h5::Reader& file) {
  Lists found;
  for (const auto& name : file.attribute_names("/"))
    if (file.holds_list("/", name)) found[name] = file.attribute_texts("/", name);
  return found;
}

const std::vector<std::string> kGroups = {"/settings/train",  "/settings/rule",     "/settings/projection",
                                          "/settings/device", "/settings/asked",    "/network",
                                          "/device",          "/device/projection", "/device/layers",
                                          "/device/map",      "/telemetry/start",   "/telemetry/end"};

/// Of the run's data, calibration and devices.
std::vector<std::string> warnings(const h5::Reader& file) {
  if (!file.exists("/telemetry") || !file.has_attribute("/telemetry", "warnings")) return {};
  return file.attribute_texts("/telemetry", "warnings");
}

const std::vector<std::string> kCurves = {"train_loss", "test_accuracy", "test_loss", "validation_accuracy",
                                          "fidelity",   "device_s",      "device_j",  "train_s",
                                          "waited_s"};
const std::vector<std::string> kCounts = {"epoch", "device_frames", "layer_passes", "projections", "layer_writes"};

const std::vector<std::string> kLayerCurves = {"alignment", "gradient_alignment", "weight_alignment", "layer_loss",
                                               "probe"};

/// Last value of each curve of a run, of those per layer one for each (alignment_1, ...), without those that are not
/// measured (NaN); of its devices all they did, also after the last epoch.
Settings result(const h5::Reader& file) {
  Settings found;
  const auto last = [&](const std::string& name) {
    const std::string path = "/curves/" + name;
    const std::vector<double> values = file.exists(path) ? file.read(path).values : std::vector<double>{};
    return values.empty() ? std::nan("") : values.back();
  };
  for (const auto& name : kCurves)
    if (const double value = last(name); std::isfinite(value)) found[name] = value;
  for (const auto& name : kCounts)
    if (const double value = last(name); std::abs(value) < 9e15) found[name] = static_cast<std::int64_t>(value);
  if (!found.empty())
    for (const auto& [name, whole] : {std::pair{"device_frames", "frames"},
                                      {"device_writes", "writes"},
                                      {"device_s", "seconds"},
                                      {"device_j", "joules"}})
      if (file.exists("/device") && file.has_attribute("/device", whole))
        found[name] = file.attribute("/device", whole);
  for (const auto& name : kLayerCurves) {
    const std::string path = "/curves/" + name;
    if (!file.exists(path)) continue;
    const h5::Array all = file.read(path);
    const std::size_t layers = all.shape.size() == 2 ? static_cast<std::size_t>(all.shape[1]) : 0;
    for (std::size_t l = 0; l < layers && layers <= all.values.size(); ++l)
      if (const double cosine = all.values[all.values.size() - layers + l]; std::isfinite(cosine))
        found[name + "_" + std::to_string(l + 1)] = cosine;
  }
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
    Lists texts = lists(file);
    texts["warnings"] = warnings(file);
    std::fputs(settings_json(all, texts).c_str(), stdout);
    return kDone;
  }
  Settings root = attributes(file, "/", true);
  for (const auto& [name, texts] : lists(file)) root[name] = join(texts, " | ");
  print(path, root);
  for (const auto& group : kGroups)
    if (file.exists(group)) print(group.substr(1), attributes(file, group, true));
  print("result", result(file));
  if (const auto said = warnings(file); !said.empty()) {
    std::puts("\nwarnings");
    for (const auto& text : said) std::printf("  %s\n", text.c_str());
  }
  return kDone;
}

}  // namespace lightloop::command
