#include "training/loop.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "training/datasets/shift.hpp"
#include "training/evaluate.hpp"
#include "training/layers/model.hpp"
#include "training/network_for.hpp"

namespace lightloop {

TrainingLoop::TrainingLoop(TrainConfig config, TrainTest data, const Registry& registry, std::optional<RunFile> resumed)
    : config_(std::move(config)), data_(std::move(data)) {
  const ParamSet& train = config_.train;
  if (const Index samples = train.integer("samples"); samples > 0) data_.train = data_.train.some(samples);
  optimizer_ = optimizer_settings(train);
  loss_ = loss_from(train.text("loss"));
  batch_ = data_.train.graph ? data_.train.size() : std::min<Index>(train.integer("batch"), data_.train.size());
  weight_decay_ = static_cast<float>(train.real("weight_decay"));
  epochs_ = train.integer("epochs");
  alignment_every_ = train.integer("alignment_every");
  if (data_.train.graph && config_.model->info.own_forward) compare_if_asked();  // all layers of all nodes
  shift_ = train.integer("shift");
  if (shift_ > 0) check_shift(data_.train);
  const std::string validation = data_.validation.size() > 0 ? data_.validation.content_sha256() : "";
  const std::string data_sha256 = sha256(data_.train.content_sha256() + data_.test.content_sha256() + validation);
  resumed_ = resumed.has_value();
  if (resumed) {
    run_ = std::move(*resumed);
    run_.complete = false;
    if (run_.data_sha256 != data_sha256)
      throw InvalidParameter(
          "train.resume " + train.text("resume"), "the data of " + data_.train.name + " are others",
          "SHA-256 " + run_.data_sha256.substr(0, 12) + "… in the run, " + data_sha256.substr(0, 12) + "… now",
          "resume with the data it began with, or start another run with train.init_from");
  } else {
    run_.data_sha256 = data_sha256;
    run_.alphabet = data_.train.alphabet;
    make_network();
  }
  check_fit(run_.net, data_.train);
  check_fit(run_.net, data_.test);
  if (data_.validation.size() > 0) check_fit(run_.net, data_.validation);
  if (batch_ == 1 && run_.net.model() && run_.net.model()->needs_batch())
    throw InvalidParameter("train.batch", "1", "batch_norm has one value per channel to take statistics of",
                           "give 2 or more, or a net with layer_norm");
  steps_per_epoch_ = (data_.train.size() + batch_ - 1) / batch_;
  const auto done = static_cast<Index>(run_.step_loss.size());
  if (done != run_.position.epoch * steps_per_epoch_ + run_.position.step || run_.position.step >= steps_per_epoch_)
    throw FileError("train.resume " + train.text("resume"), "its position and its curve of the loss disagree", "",
                    "The file is damaged; start again");
  schedule_ = schedule(train, steps_per_epoch_);
  gradient_.resize(1, static_cast<Index>(run_.net.parameters().size()));
  open_path(registry);
  open_layers(registry);
  open_map(registry);
  if (!path_.measures()) make_rule();
  run_.train = config_.train;
  run_.rule = config_.rule;
  for (const auto& [key, value] : config_.projection) run_.asked["projection." + key] = value;
  for (const auto& [key, value] : config_.device) run_.asked["device." + key] = value;
  for (const auto& [key, value] : config_.session) run_.asked["session." + key] = value;
  for (const auto& [key, value] : config_.layer) run_.asked["layer." + key] = value;
  note_device();
}

void TrainingLoop::make_network() {
  const std::string& init_from = config_.train.text("init_from");
  const Activation activation = activation_from(config_.train.text("activation"));
  run_.net = network_for(config_.train.text("net"), activation, data_.train);
  if (init_from.empty()) {
    run_.net.initialise(config_.seed());
  } else {
    RunFile stored = load_run(init_from);
    const auto name = [](const Network& net) {
      return net.text() + (net.model() ? "" : " " + to_string(net.hidden_activation()));
    };
    if (name(stored.net) != name(run_.net))
      throw ShapeMismatch("train.init_from " + init_from, name(stored.net), "this run is " + name(run_.net),
                          "give the net and the activation of that run");
    if (data_.train.alphabet != stored.alphabet)
      throw InvalidParameter("train.init_from " + init_from, "it has learned other characters than " + data_.train.name,
                             "its codes would mean others", "go on with a text of the same characters");
    run_.net = std::move(stored.net);
    if (stored.train.text("rule") == config_.model->info.name) begun_with_ = std::move(stored.own);
  }
  run_.optimizer = optimizer_state(optimizer_, static_cast<Index>(run_.net.parameters().size()));
}

}  // namespace lightloop
