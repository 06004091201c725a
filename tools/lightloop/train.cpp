// `lightloop train`: the plan, the run, its baselines, one table.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <optional>
#include <span>

#include "core/error.hpp"
#include "core/units.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/progress.hpp"
#include "tools/lightloop/text.hpp"
#include "training/parts.hpp"
#include "training/trainer.hpp"

namespace lightloop::command {
namespace {
/// Short times with three digits, long ones in minutes and hours.
std::string time_text(double seconds) { return seconds < 10 ? brief(seconds, "s") : duration(seconds); }

std::string writes_text(std::int64_t writes) { return writes > 0 ? " and " + grouped(writes) + " writes" : ""; }

std::string cost_text(const TrainPlan& plan) {
  if (plan.device_frames == 0) return "no frame, because the net has no hidden layer";
  const std::string most = "at most " + grouped(plan.device_frames) + " frames" + writes_text(plan.device_writes) +
                           ", " + time_text(plan.device_seconds) + ", " + brief(plan.device_joules, "J");
  if (plan.frames_shown_once == plan.device_frames) return most;
  return most + " (" + grouped(plan.frames_shown_once) + ", " + time_text(plan.seconds_shown_once) + ", " +
         brief(plan.joules_shown_once, "J") + " if no row meets the end of the ADC and is shown again)";
}

/// One run of the command: asks, watches, and remembers why it ended.
class Run {
 public:
  Run(const TrainRequest& request, const Interrupt& interrupt)
      : request_(request), interrupt_(interrupt), progress_(request.quiet) {}

  TrainResult operator()(const TrainSettings& settings, const Registry& registry) {
    ParamSet params("train", train_params());  // the trainer checks all the others
    for (const char* name : {"yes", "max_device_seconds", "dry_run"})
      if (const auto given = settings.find("train." + std::string(name)); given != settings.end())
        params.set({{name, given->second}});
    if (!params.boolean("yes")) limit_s_ = params.real("max_device_seconds");
    dry_run_ = params.boolean("dry_run");
    TrainObserver observer;
    observer.on_plan = [this](const TrainPlan& plan) { return agrees(plan); };
    observer.on_calibrated = [this](const TrainPlan& plan) { say_calibrated(plan); };
    observer.on_warning = [](const std::string& text) {
      std::fprintf(stderr, "lightloop: warning: %s\n", text.c_str());
    };
    observer.on_step = [this](Index epoch, Index step, Index steps, double loss) {
      progress_.step(epoch, step, steps, loss);
    };
    observer.on_epoch = [this](const EpochResult& epoch) { progress_.epoch(epoch); };
    observer.stop = [this] { return interrupt_.requested(); };
    try {
      TrainResult result = lightloop::train(settings, registry, observer);
      progress_.end();
      return result;
    } catch (...) {
      progress_.end();
      throw;
    }
  }
  bool refused() const { return refused_; }
  bool dry_run() const { return dry_run_; }

 private:
  bool agrees(const TrainPlan& plan) {
    if (dry_run_ && request_.json) std::fputs(plan_json(plan).c_str(), stdout);
    const bool on_device = plan.device != "digital" || plan.device_frames > 0;
    if (on_device && !request_.quiet && !(dry_run_ && request_.json))
      std::fprintf(dry_run_ ? stdout : stderr, "%s: %s\n", plan.title.c_str(), cost_text(plan).c_str());
    if (dry_run_ && !on_device && !request_.json)
      std::printf("%s, digital: %s steps, no device\n", plan.rule.c_str(), grouped(plan.steps).c_str());
    if (limit_s_ && plan.device_seconds > *limit_s_) {
      std::fprintf(
          stderr,
          "lightloop: the run may need %s of device time (%s): more than --max-device-seconds %s. Give --yes to "
          "run it all the same, or a higher limit.\n",
          time_text(plan.device_seconds).c_str(), cost_text(plan).c_str(), to_string(Value(*limit_s_)).c_str());
      refused_ = true;
    }
    if (dry_run_ || refused_) return false;
    progress_.start(plan);
    return true;
  }

  /// The first plan only guessed the exposure.
  void say_calibrated(const TrainPlan& plan) const {
    if (request_.quiet) return;
    const std::string exposure =
        plan.exposure_s > 0 ? " with an exposure of " + format_quantity(plan.exposure_s, "s") : "";
    std::fprintf(stderr, "%s: calibrated%s, %s\n", plan.title.c_str(), exposure.c_str(), cost_text(plan).c_str());
  }

  const TrainRequest& request_;
  const Interrupt& interrupt_;
  Progress progress_;
  std::optional<double> limit_s_;
  bool dry_run_ = false, refused_ = false;
};

void print_result(const TrainResult& run, const std::vector<TrainResult>& baselines) {
  std::vector<std::vector<std::string>> rows = {
      {"rule", "accuracy", "device", "device frames", "writes", "device time", "energy", "samples/s"}};
  const auto add = [&](const TrainResult& result) {
    const bool physical = result.device_frames > 0;
    rows.push_back(
        {result.rule, percent(result.test_accuracy),
         device_model(result.device != "digital" ? result.device
                      : !result.layers.empty()   ? result.layers
                      : !result.map.empty()      ? result.map
                                                 : result.device),
         physical ? grouped(result.device_frames) : "-", result.device_writes > 0 ? grouped(result.device_writes) : "-",
         physical ? time_text(result.device_seconds) : "-", physical ? brief(result.device_joules, "J") : "-",
         grouped(static_cast<std::int64_t>(result.samples_per_second))});
  };
  add(run);
  for (const auto& baseline : baselines) add(baseline);
  std::fputs(table(rows).c_str(), stdout);
  if (run.devices.size() > 1)  // the table has the sum
    for (const DeviceShare& share : run.devices)
      std::printf("%s, %s: %s frames%s, %s, %s\n", share.part.c_str(), device_model(share.address).c_str(),
                  grouped(share.frames).c_str(), writes_text(share.writes).c_str(), time_text(share.seconds).c_str(),
                  brief(share.joules, "J").c_str());
  if (const double loss = run.epochs.empty() ? std::nan("") : run.epochs.back().test_loss; std::isfinite(loss)) {
    if (run.net.tokens() > 1) std::printf("test loss %.4f per token: %.4f bits\n", loss, loss / std::numbers::ln2);
    if (std::isnan(run.test_accuracy)) std::printf("test loss %.6g\n", loss);
  }
  const auto best = std::ranges::max_element(run.epochs, {}, [](const EpochResult& e) {
    return std::isnan(e.validation_accuracy) ? -1.0 : e.validation_accuracy;
  });
  if (best != run.epochs.end() && std::isfinite(best->validation_accuracy))
    std::printf("best on the validation samples after epoch %td: %s there, %s on the test samples\n", best->epoch,
                percent(best->validation_accuracy).c_str(), percent(best->test_accuracy).c_str());
  if (run.clipped_inputs + run.saturated > 0)
    std::printf("map: %s inputs beyond its range, %s codes clipped by the device\n",
                grouped(run.clipped_inputs).c_str(), grouped(run.saturated).c_str());
  if (run.device_retries + run.device_losses > 0)
    std::printf("faults: batches shown again %s, link lost %s, opened again %s\n", grouped(run.device_retries).c_str(),
                grouped(run.device_losses).c_str(), grouped(run.device_reopened).c_str());
  if (!run.weights_sha256.empty()) std::printf("weights sha256 %s\n", run.weights_sha256.c_str());
  if (run.out.empty()) return;
  std::string files = run.out;
  for (const auto& baseline : baselines) files += " " + baseline.out;
  std::printf("run file%s %s (draw: lightloop plot %s)\n", baselines.empty() ? "" : "s", files.c_str(), files.c_str());
}

int say_interrupted(const TrainResult& run) {
  if (run.out.empty())
    std::fputs("lightloop: stopped. Nothing was saved, because there was no --out.\n", stderr);
  else
    std::fprintf(stderr, "lightloop: stopped; the checkpoint is in %s. Go on with: lightloop train --resume %s\n",
                 run.out.c_str(), run.out.c_str());
  return kInterrupted;
}
}  // namespace

int train(const TrainRequest& request, const Registry& registry) {
  const Interrupt interrupt;
  Run run(request, interrupt);
  std::vector<Part> parts = parts_of(request.settings);
  const auto do_part = [&](Part& part) { return part.done ? std::move(*part.done) : run(part.settings, registry); };
  const TrainResult result = do_part(parts.front());
  if (run.refused()) return kRefused;
  if (run.dry_run()) return kDone;
  if (result.interrupted) return say_interrupted(result);
  std::vector<TrainResult> compared;
  bool stopped = false;
  for (Part& part : std::span(parts).subspan(1)) {
    compared.push_back(do_part(part));
    if (run.refused()) return kRefused;
    if (run.dry_run()) return kDone;
    stopped = compared.back().interrupted;
    if (stopped) break;
  }
  const std::string halted = stopped ? compared.back().rule : "";
  if (stopped) compared.pop_back();
  if (request.json)
    std::fputs(run_json(result, compared).c_str(), stdout);
  else
    print_result(result, compared);
  if (!stopped) return kDone;
  std::fprintf(stderr, "lightloop: stopped during the baseline %s. %s\n", halted.c_str(),
               result.out.empty() ? "It is lost, because there was no --out."
                                  : ("Go on with: lightloop train --resume " + result.out).c_str());
  return kInterrupted;
}

}  // namespace lightloop::command
