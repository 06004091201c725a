// What a run will ask of its devices.
#include <algorithm>

#include "training/loop.hpp"

namespace lightloop {

TrainPlan TrainingLoop::plan() const {
  TrainPlan plan;
  plan.device = config_.train.text("device");
  plan.rule = config_.model->info.name;
  plan.dataset = data_.train.name;
  plan.widths = run_.net.widths();
  plan.net = run_.net.text();
  plan.samples = data_.train.size();
  plan.epochs = epochs_;
  plan.steps = epochs_ * steps_per_epoch_ - (run_.position.epoch * steps_per_epoch_ + run_.position.step);
  plan.samples_per_step = static_cast<double>(plan.samples) / static_cast<double>(steps_per_epoch_);
  if (rule_) plan.touch_per_step = step_touch(rule_->declared(run_.net, batch_), batch_);
  const Index all = run_.net.layers(), scored = data_.test.size() + data_.validation.size();  // rows after an epoch
  const Index answers = rule_ && config_.model->info.own_answer ? (rule_->answer_passes(run_.net) + all - 1) / all : 1;
  if (layers_) {
    // passes of all layers alike, rounded up; the update is a write among those that are counted
    const Index shown = (plan.touch_per_step.passes + all - 1) / all;
    const Index writes = std::max((plan.touch_per_step.writes + all - 1) / all,
                                  layers_->rewritten() ? (shown + batch_ - 1) / batch_ : 1);
    layers_->add_expected(plan.steps, std::max<Index>(1, writes), rule_ ? shown : batch_, plan.device_frames,
                          plan.device_seconds, plan.device_joules);
    layers_->add_expected(epochs_ - run_.position.epoch, 1, scored * answers, plan.device_frames, plan.device_seconds,
                          plan.device_joules);
  }
  if (maps_ && rule_) {
    const Index shown = plan.touch_per_step.passes / all;
    maps_->add_expected(
        plan.steps * shown + (maps_->calibrated() ? 0 : 2 * shown) + (epochs_ - run_.position.epoch) * scored * answers,
        plan.device_frames, plan.device_seconds, plan.device_joules);
  }
  if (!path_.projection) return plan;
  plan.encoding = path_.projection->settings().text("encoding");
  plan.readout = path_.projection->settings().text("readout");
  plan.exposure_s = path_.projection->report().exposure_s;
  const auto add = [&plan](const ProjectionCost& cost, Index times) {
    plan.device_frames += times * cost.frames;
    plan.device_seconds += static_cast<double>(times) * cost.device_s;
    plan.device_joules += static_cast<double>(times) * cost.device_j;
  };
  add(path_.projection->calibration_cost(), resumed_ ? 0 : 1);
  if (path_.measures()) {
    add(path_.projection->cost(1), path_.projection->inputs());
    return plan;
  }
  add(path_.projection->cost(data_.train.counts.empty() ? batch_ * data_.train.targets : data_.train.counted()),
      plan.steps);
  if (config_.train.boolean("fidelity"))
    add(path_.projection->cost(path_.projection->inputs()), epochs_ - run_.position.epoch + (resumed_ ? 0 : 1));
  if (config_.train.boolean("probe")) add(path_.projection->probe_cost(), resumed_ ? 1 : 2);
  return plan;
}

StepTouch TrainingLoop::step_touch(StepTouch rule, Index samples) const {
  if (!config_.model->info.own_forward) rule.passes += run_.net.layers() * samples;
  rule.writes += run_.net.layers();  // the update
  return rule;
}

}  // namespace lightloop
