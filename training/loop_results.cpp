// What a run leaves behind: curves, its file, its network.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "training/evaluate.hpp"
#include "training/loop.hpp"
#include "training/metrics/layers.hpp"

namespace lightloop {

void TrainingLoop::check_weights() const {
  const std::span<const float> weights = run_.net.parameters();
  if (std::ranges::all_of(weights, [](float w) { return std::isfinite(w); })) return;
  throw OutOfRange("weights after " + std::to_string(run_.step_loss.size()) + " steps", "not finite",
                   "must stay finite", "lower train.lr");
}

void TrainingLoop::end_epoch(double learning_rate) {
  check_weights();
  wait_for_device();
  if (layers_) layers_->program(run_.net, true);
  const auto scored = [this](const Dataset& data) {
    Rule* const answers = config_.model->info.own_answer ? rule_.get() : nullptr;
    if (layers_) return layers_->evaluate(run_.net, data, loss_, answers);
    return maps_ && !answers ? maps_->evaluate(run_.net, data, loss_) : evaluate(run_.net, data, loss_, answers);
  };
  const Evaluation tested = scored(data_.test);
  const double validated = data_.validation.size() > 0 ? scored(data_.validation).accuracy : std::nan("");
  if (tries_programmes()) layers_->measure_weights(run_.net);
  note_device();
  RunPosition& at = run_.position;
  EpochResult epoch;
  epoch.validation_accuracy = validated;
  epoch.epoch = at.epoch + 1;
  epoch.train_loss = at.loss_sum / at.samples;
  epoch.test_accuracy = tested.accuracy;
  epoch.test_loss = tested.loss;
  epoch.learning_rate = learning_rate;
  at.alignment.resize(run_.net.hidden_layers());
  at.gradient_alignment.resize(run_.net.layers());
  epoch.alignment = at.alignment.means();
  epoch.gradient_alignment = at.gradient_alignment.means();
  epoch.weight_alignment = rule_->weight_alignment(run_.net, feedback_matrix());
  epoch.device_frames = run_.about_device.frames;
  epoch.device_s = run_.about_device.device_s;
  epoch.device_j = run_.about_device.device_j;
  epoch.train_s = at.train_s;
  if (projects_each_step()) epoch.waited_s = at.waited_s;
  epoch.active_fraction = at.active / at.samples;
  epoch.touch = run_.touch;
  if (const Index samples = config_.train.integer("layer_metrics"); samples > 0 && run_.net.hidden_layers() > 0) {
    LayerMetrics metrics = measure_layers(run_.net, data_, samples);
    epoch.probe = std::move(metrics.probe);
    epoch.cka = std::move(metrics.cka);
  }
  if (path_.projection && run_.reference.size() > 0)
    epoch.fidelity = projection_fidelity(*path_.projection, run_.reference);
  for (const double sum : at.layer_loss) epoch.layer_loss.push_back(sum / at.samples);
  run_.epochs.push_back(std::move(epoch));
  const double train_s = at.train_s, waited_s = at.waited_s;
  const std::int64_t trained = at.trained;
  at = {};
  at.epoch = run_.epochs.back().epoch;
  at.train_s = train_s;
  at.waited_s = waited_s;
  at.trained = trained;
}

void TrainingLoop::finish() {
  if (path_.projection && config_.train.boolean("probe")) run_.health_end = path_.projection->probe();
  note_device();
  run_.complete = true;
}

void TrainingLoop::save() {
  if (out().empty()) return;
  check_weights();
  wait_for_device();
  note_device();
  run_.rule_state = rule_->snapshot();
  copy_own();
  if (path_.session) {
    run_.session = path_.session->snapshot();
    run_.projection_state = path_.projection->snapshot();
  }
  if (path_.feedback) run_.feedback_state = path_.feedback->snapshot();
  if (layers_) run_.layers_state = layers_->snapshot();
  if (maps_) run_.map_state = maps_->snapshot();
  save_run(run_, out());
}

void TrainingLoop::remove_empty_file() const {
  const bool device_asked = path_.session || run_.measured;
  if (out().empty() || resumed_ || device_asked || !run_.step_loss.empty()) return;
  std::error_code stays;
  std::filesystem::remove(out(), stays);
}

void TrainingLoop::copy_own() {
  if (!rule_) return;
  rule_->settle();
  const std::span<const float> own = rule_->own().values;
  run_.own.resize(1, static_cast<Index>(own.size()));
  std::ranges::copy(own, run_.own.flat().begin());
}

TrainResult TrainingLoop::take_result() {
  copy_own();
  TrainResult result = result_of(run_, out());
  result.net = std::move(run_.net);
  return result;
}

}  // namespace lightloop
