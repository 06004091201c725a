// The devices of a run beside its steps: calibration, recording, what they have done.
#include "driver/layer/record.hpp"
#include "training/loop.hpp"
#include "training/rules/label_overlay.hpp"

namespace lightloop {

/// Of the device that projects in every step, or of the one in front of the layers, or of those that hold them; a
/// device that is only measured is recorded where there is no other.
void TrainingLoop::begin_recording() {
  const std::string& file = config_.train.text("record");
  if (file.empty() || resumed_) return;
  const bool projects = path_.session && !path_.measures();
  if (maps_ && !projects)
    recordings_ = {record(maps_->session(), file)};
  else if (layers_ && !projects)
    recordings_ = record(layers_->devices(), file);
  else if (path_.session)
    recordings_ = {record(*path_.session, file)};
}

std::vector<std::string> TrainingLoop::first_warnings() {
  std::vector<std::string> texts;
  const bool unlabelled = config_.rule.has("negatives") && config_.rule.text("negatives") == "hybrid";
  if (config_.model->info.in_features && !unlabelled)
    if (std::string text = overlay_warning(config_.model->info.name, data_.train, run_.net.widths().back(),
                                           config_.rule.integer("label_features"));
        !text.empty())
      texts.push_back(std::move(text));
  if (const std::string& init_from = config_.train.text("init_from");
      !resumed_ && !init_from.empty() && rule_ && rule_->own().values.size() != begun_with_.flat().size())
    texts.push_back("train.init_from " + init_from + ": the parameters that rule " + config_.model->info.name +
                    " has of its own (heads, feedback nets) are not those of that run, which had another rule or other "
                    "sizes: they begin anew");
  if (!resumed_) run_.warnings = texts;  // else they are in the file
  return texts;
}

bool TrainingLoop::calibrate() {
  begin_recording();
  if (!path_.projection || resumed_) return false;
  path_.projection->calibrate();
  const std::vector<std::string>& said = path_.projection->report().warnings;
  run_.warnings.insert(run_.warnings.end(), said.begin(), said.end());
  return true;
}

void TrainingLoop::measure() {
  if (path_.measures()) {
    path_.feedback = digital_feedback(measure_matrix(*path_.projection));
    note_device();
    run_.measured = path_.session->meter();
    path_.projection.reset();
    path_.session.reset();
    make_rule();
  } else if (config_.train.boolean("probe")) {
    run_.health_start = path_.projection->probe();
  }
  if (path_.projection && config_.train.boolean("fidelity")) run_.reference = measure_matrix(*path_.projection);
}

/// Before the first step of `epoch`.
bool TrainingLoop::columns_due(Index epoch) const {
  if (!config_.model->info.one_hot || !path_.feedback) return false;
  const Index refresh = config_.rule.integer("refresh");
  return epoch == 0 || (refresh > 0 && epoch % refresh == 0);
}

/// B of one-hot labels is its columns: the feedback takes them as the device shows them now. In memory they are there,
/// and counted as they would have been shown.
void TrainingLoop::read_columns() {
  if (run_.position.step > 0 || !columns_due(run_.position.epoch)) return;
  run_.touch.projections += path_.feedback->inputs() * kColumnRepeats;
  if (!path_.projection) return;
  path_.feedback->restore(digital_feedback(measure_matrix(*path_.projection, kColumnRepeats))->snapshot());
}

/// In memory, or the columns that a device showed at the start; empty where neither is there.
View<const float> TrainingLoop::feedback_matrix() const {
  const View<const float> matrix = path_.feedback ? path_.feedback->matrix() : View<const float>{};
  return matrix.empty() ? run_.reference.view() : matrix;
}

std::vector<std::string> TrainingLoop::news() {
  std::vector<std::string> texts;
  const auto tell = [&](const Session& session, std::int64_t& told) {
    for (const SessionEvent& event : session.events(told)) {
      texts.push_back("frame " + std::to_string(event.frame_id) + ": " + event.text);
      told = event.number + 1;
      constexpr std::size_t kKept = 1000;
      if (run_.warnings.size() < kKept) run_.warnings.push_back(texts.back());
    }
  };
  if (path_.session) tell(*path_.session, told_);
  if (maps_) tell(maps_->session(), map_told_);
  return texts;
}

void TrainingLoop::note_device() {
  RunDevice& about = run_.about_device;
  const Meter meter = note_shares();
  if (maps_) {
    about.clipped_inputs = maps_->report().clipped_inputs;
    about.saturated = maps_->report().saturated;
  }
  if (!path_.session) {
    if (meter.batches > 0) note_meter(meter);
    if (!run_.measured && layers_) about.address = layers_->devices().address();
    if (!run_.measured && maps_ && !layers_) about.address = maps_->session().address();
    if (about.address.empty()) about.address = config_.train.text("device");
    return;
  }
  about.address = path_.session->address();
  const DeviceInfo& info = path_.session->info();
  about.kind = info.kind;
  about.model = info.model;
  about.serial = info.serial;
  about.version = info.version;
  about.calibration_id = info.calibration_id;
  note_meter(meter);
  run_.device = path_.session->settings();
  run_.projection = path_.projection->settings();
}

/// What each kind of device has done; returns all of it together.
Meter TrainingLoop::note_shares() {
  Meter all;
  run_.about_device.shares.clear();
  const auto add = [&](const char* part, const std::string& address, const Meter& meter) {
    all += meter;
    run_.about_device.shares.push_back({part, address, meter.frames, meter.device_s, meter.device_j, meter.programs});
  };
  if (path_.session)
    add("projection", path_.session->address(), path_.session->meter());
  else if (run_.measured)
    add("projection", config_.rule.text("matrix_from"), *run_.measured);
  if (layers_) {
    Meter meter;
    layers_->add_meters(meter);
    add("layers", layers_->devices().address(), meter);
  }
  if (maps_) add("map", maps_->session().address(), maps_->session().meter());
  return all;
}

void TrainingLoop::note_meter(const Meter& meter) {
  RunDevice& about = run_.about_device;
  about.frames = meter.frames;
  about.writes = meter.programs;
  about.device_s = meter.device_s;
  about.device_j = meter.device_j;
  about.saturation = meter.saturation();
  about.retries = meter.retries;
  about.discarded = meter.discarded;
  about.losses = meter.losses;
  about.reopened = meter.reopened;
}

void TrainingLoop::close_recording() {
  for (const auto& recording : recordings_) recording->close();
}

}  // namespace lightloop
