// What a run is to its reader: its title, its settings, what came out.
#include <cmath>

#include "training/run_file.hpp"

namespace lightloop {

std::string device_model(const std::string& device) { return device.substr(0, device.find(',')); }

std::string title_of(const RunFile& run) {
  const std::string& first = run.about_device.address;  // where nothing projects, that of the layers or the map
  std::string text = run.train.text("rule") + " on " + device_model(first);
  for (const std::string part : {"layers", "map"}) {
    const std::string device = run.train.has(part) ? run.train.text(part) : "";  // older files do not
    if (!device.empty() && device != first) text += ", " + part + " on " + device_model(device);
  }
  return text;
}

TrainSettings settings_of(const RunFile& run) {
  TrainSettings all = run.asked;
  for (const auto& [space, params] : {std::pair{"train.", &run.train},
                                      {"rule.", &run.rule},
                                      {"projection.", &run.projection},
                                      {"device.", &run.device}})
    for (const auto& [key, value] : params->all()) all[space + key] = value;
  return all;
}

TrainResult result_of(const RunFile& run, const std::string& path) {
  TrainResult result;
  result.title = title_of(run);
  result.rule = run.train.text("rule");
  result.settings = settings_of(run);
  result.own = run.own;
  result.device = run.train.text("device");
  if (run.train.has("layers")) result.layers = run.train.text("layers");  // older files do not
  if (run.train.has("map")) result.map = run.train.text("map");
  result.out = path;
  result.net = run.net;
  result.epochs = run.epochs;
  result.test_accuracy = run.epochs.empty() ? std::nan("") : run.epochs.back().test_accuracy;
  result.train_seconds = run.position.train_s;
  result.samples_per_second =
      result.train_seconds > 0 ? static_cast<double>(run.position.trained) / result.train_seconds : 0;
  result.device_frames = run.about_device.frames;
  result.device_writes = run.about_device.writes;
  result.device_seconds = run.about_device.device_s;
  result.device_joules = run.about_device.device_j;
  result.devices = run.about_device.shares;
  result.device_retries = run.about_device.retries;
  result.device_losses = run.about_device.losses;
  result.device_reopened = run.about_device.reopened;
  result.clipped_inputs = run.about_device.clipped_inputs;
  result.saturated = run.about_device.saturated;
  if (!run.epochs.empty()) result.alignment = run.epochs.back().alignment;
  result.seed = static_cast<std::uint64_t>(run.train.integer("seed"));
  result.weights_sha256 = weights_sha256(run);
  result.health_start = run.health_start;
  result.health_end = run.health_end;
  result.warnings = run.warnings;
  result.interrupted = !run.complete;
  return result;
}

}  // namespace lightloop
