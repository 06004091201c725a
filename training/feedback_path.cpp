#include "training/feedback_path.hpp"

#include "core/error.hpp"
#include "driver/api/opening.hpp"

namespace lightloop {
namespace {

/// Settings to open with: the sizes the projection needs and the seed of the run, where the user left them alone.
Settings opening_settings(const TrainConfig& config, const std::string& device, const Registry& registry, Index inputs,
                          Index outputs) {
  const std::vector<ParamInfo> params = registry.open_params(device);
  Settings user = parse_address(device).settings;
  for (const auto& [key, value] : config.device) user[key] = value;
  Settings opening = sizes_for_projection(params, user, config.projection, inputs, outputs);
  if (!user.contains("seed") && takes_seed(registry, device)) opening["seed"] = config.train.integer("seed");
  for (const auto& [key, value] : config.device) opening[key] = value;
  for (const auto& [key, value] : config.session) opening["session." + key] = value;
  return opening;
}

FeedbackPath open_device(const std::string& device, const TrainConfig& config, const Registry& registry, Index inputs,
                         Index outputs) {
  const bool measured = config.digital();
  FeedbackPath path;
  path.session = open_session(registry, device, opening_settings(config, device, registry, inputs, outputs));
  if (path.session->info().kind != "projection")
    throw Unsupported(
        measured ? "rule.matrix_from " + device : "rule " + config.model->info.name + " on device " + device,
        "the device is a " + path.session->info().kind, "the rule needs a fixed projection",
        "`lightloop devices` lists what is there; sim:opu is one");
  path.projection = std::make_unique<Projection>(*path.session, inputs, outputs, config.projection);
  return path;
}

}  // namespace

void check_device_settings(const TrainConfig& config, const Registry& registry) {
  const std::string device = config.digital() ? (config.uses_projection() ? config.rule.text("matrix_from") : "")
                                              : config.train.text("device");
  if (device.empty()) return;
  const DeviceAddress address = parse_address(device);
  if (address.backend != "sim") return;
  Settings all = address.settings;
  for (const auto& [key, value] : config.device) all[key] = value;
  registry.resolve(registry.model(address.target), without_session(std::move(all)));
}

FeedbackPath open_feedback(const TrainConfig& config, const Registry& registry, Index inputs, Index outputs,
                           bool resumed) {
  if (!config.uses_projection()) return {};
  FeedbackPath path;
  if (!config.digital()) {
    path = open_device(config.train.text("device"), config, registry, inputs, outputs);
    path.feedback = config.model->info.one_hot ? digital_feedback(Matrix<float>(outputs, inputs))
                                               : device_feedback(*path.projection);
  } else if (const std::string& source = config.rule.text("matrix_from"); source.empty()) {
    path.feedback = digital_feedback(inputs, outputs, config.seed());
  } else if (resumed) {
    path.feedback = digital_feedback(Matrix<float>(outputs, inputs));
  } else {
    path = open_device(source, config, registry, inputs, outputs);
  }
  return path;
}

}  // namespace lightloop
