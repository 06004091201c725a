// What a run will ask of its devices.
#include <algorithm>

#include "training/loop.hpp"

namespace lightloop {
namespace {

/// What repeats nothing.
void add_device(TrainPlan& plan, std::int64_t frames, double seconds, double joules) {
  plan.device_frames += frames;
  plan.frames_shown_once += frames;
  plan.device_seconds += seconds;
  plan.seconds_shown_once += seconds;
  plan.device_joules += joules;
  plan.joules_shown_once += joules;
}

}  // namespace

TrainPlan TrainingLoop::plan() const {
  TrainPlan plan;
  plan.title = title_of(run_);
  plan.device = run_.about_device.address;
  plan.layers = config_.train.text("layers");
  plan.map = config_.train.text("map");
  plan.rule = config_.model->info.name;
  plan.dataset = data_.train.name;
  plan.widths = run_.net.widths();
  plan.net = run_.net.text();
  plan.samples = data_.train.size();
  plan.epochs = epochs_;
  plan.steps = epochs_ * steps_per_epoch_ - (run_.position.epoch * steps_per_epoch_ + run_.position.step);
  plan.samples_per_step = static_cast<double>(plan.samples) / static_cast<double>(steps_per_epoch_);
  std::unique_ptr<Feedback> unmeasured;
  std::unique_ptr<Rule> waiting;  // for a matrix that is to be measured
  if (!rule_) {
    unmeasured = device_feedback(*path_.projection);
    waiting = new_rule(unmeasured.get());
  }
  const Rule& rule = rule_ ? *rule_ : *waiting;
  plan.touch_per_step = step_touch(rule.declared(run_.net, batch_), batch_);
  add_layers(plan, rule);
  add_map(plan, rule);
  add_projection(plan);
  return plan;
}

void TrainingLoop::add_projection(TrainPlan& plan) const {
  if (!path_.projection) return;
  plan.encoding = path_.projection->settings().text("encoding");
  plan.readout = path_.projection->settings().text("readout");
  plan.exposure_s = path_.projection->report().exposure_s;
  const auto add = [&plan](const ProjectionCost& cost, Index times) {
    const auto n = static_cast<double>(times);
    add_device(plan, times * cost.frames, n * cost.device_s, n * cost.device_j);
  };
  add(path_.projection->calibration_cost(), resumed_ ? 0 : 1);
  if (path_.measures()) {
    add(path_.projection->cost(1), path_.projection->inputs());
    return;
  }
  Index columns = 0;  // times they are read
  for (Index e = run_.position.epoch + (run_.position.step > 0 ? 1 : 0); e < epochs_; ++e) columns += columns_due(e);
  add(path_.projection->cost(1), columns * path_.projection->inputs() * kColumnRepeats);
  if (!config_.model->info.one_hot)
    add(path_.projection->cost(data_.train.counts.empty() ? batch_ * data_.train.targets : data_.train.counted()),
        plan.steps);
  if (config_.train.boolean("fidelity"))
    add(path_.projection->cost(path_.projection->inputs()), epochs_ - run_.position.epoch + (resumed_ ? 0 : 1));
  if (config_.train.boolean("probe")) add(path_.projection->probe_cost(), resumed_ ? 1 : 2);
}

/// Every step writes the weights, unless they stay, and shows a batch, every epoch ends with a write and the scores.
void TrainingLoop::add_layers(TrainPlan& plan, const Rule& rule) const {
  if (!layers_) return;
  const auto [vectors, writes] = step_of_layer(rule);
  const LayerTouch answer = answer_of_layer(rule);
  const Index epochs = epochs_ - run_.position.epoch;
  // Weights that stay are written once; programmes that learn, too, then by every step. To go on, such a programme is
  // written as weights and as what it has learnt.
  const bool stays = config_.model->info.keeps_net, fixed = stays || layers_->learns_programme();
  const Index first = layers_->programmed() && !stays ? 2 : 1;
  LayerWork scoring{.writes = fixed ? 0 : 1};
  for (const Dataset* data : {&data_.test, &data_.validation}) {
    const Index at_once = layers_->samples_shown_at_once(run_.net, data->size());
    const Index times = (data->size() + at_once - 1) / at_once;
    scoring.samples += data->size() * answer.vectors;
    scoring.calls += times * answer.vectors;
    scoring.writes += times * answer.writes;
  }
  const LayerWork training{.samples = vectors,
                           .back = config_.model->info.goes_back ? batch_ : 0,
                           .calls = (vectors + batch_ - 1) / batch_,
                           .writes = (stays ? 0 : 1) + writes,
                           .taught = batch_};
  for (const bool repeats : {false, true}) {
    LayerReport need = layers_->expected(plan.steps, training, repeats);
    need.add(layers_->expected(epochs, scoring, repeats));
    if (fixed) need.add(layers_->expected(1, {.writes = first}, repeats));
    for (Index e = 0; tries_programmes() && e < epochs; ++e) need.add(layers_->expected_measure(repeats));
    need.add(layers_->expected_calibration(repeats));
    plan.device_writes = need.programs;
    (repeats ? plan.device_frames : plan.frames_shown_once) += need.frames;
    (repeats ? plan.device_seconds : plan.seconds_shown_once) += need.device_s;
    (repeats ? plan.device_joules : plan.joules_shown_once) += need.device_j;
  }
}

/// Of the physics in front of a layer every row is shown; the first ones twice more, to calibrate it.
void TrainingLoop::add_map(TrainPlan& plan, const Rule& rule) const {
  if (!maps_) return;
  const Index scored = data_.test.size() + data_.validation.size();  // rows after an epoch
  const Index calibration = maps_->calibrated() ? 0 : 2 * rule.rows_at_once(batch_);
  const Index forward = config_.model->info.own_forward ? 0 : batch_;
  std::int64_t frames = 0;
  double seconds = 0, joules = 0;
  for (std::size_t i = 0; i < maps_->places().size(); ++i) {
    const Index layer = maps_->places()[i].block;
    const Index answer = config_.model->info.own_answer ? rule.answers_shown_to_layer(run_.net, layer) : 1;
    const Index taught = plan.steps * (forward + rule.shown_to_layer(run_.net, layer, batch_));
    maps_->add_expected(i, taught + calibration + (epochs_ - run_.position.epoch) * scored * answer, frames, seconds,
                        joules);
  }
  add_device(plan, frames, seconds, joules);
}

/// At most, of any layer: what a step asks of it, and an answer.
LayerTouch TrainingLoop::step_of_layer(const Rule& rule) const {
  LayerTouch touch = rule.layer_touch(run_.net, batch_);
  if (!config_.model->info.own_forward) touch.vectors += batch_;
  return touch;
}
LayerTouch TrainingLoop::answer_of_layer(const Rule& rule) const {
  return config_.model->info.own_answer ? rule.answer_touch(run_.net) : LayerTouch{1, 0};
}

StepTouch TrainingLoop::step_touch(StepTouch rule, Index samples) const {
  if (!config_.model->info.own_forward) rule.passes += run_.net.layers() * samples;
  if (!config_.model->info.keeps_net) rule.writes += run_.net.layers();  // the update
  return rule;
}

}  // namespace lightloop
