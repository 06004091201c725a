// `lightloop train`: the plan, the run, its baselines, one table.
#include <cstdio>
#include <filesystem>

#include "core/error.hpp"
#include "core/units.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/progress.hpp"
#include "tools/lightloop/text.hpp"
#include "training/trainer.hpp"

namespace lightloop::command {
namespace {
std::string device_model(const std::string& address) { return address.substr(0, address.find(',')); }

std::string cost_text(const TrainPlan& plan) {
  return "at most " + grouped(plan.device_frames) + " frames, about " + duration(plan.device_seconds) + ", " +
         format_quantity(plan.device_joules, "J");
}

/// One run of the command: asks, watches, and remembers why it ended.
class Run {
 public:
  Run(const TrainRequest& request, const Interrupt& interrupt)
      : request_(request), interrupt_(interrupt), progress_(request.quiet) {}

  TrainResult operator()(const TrainSettings& settings, const Registry& registry) {
    ParamSet params("train", train_params());
    params.set(below(settings, "train"));
    if (!params.boolean("yes")) limit_s_ = params.real("max_device_seconds");
    dry_run_ = params.boolean("dry_run");
    TrainObserver observer;
    observer.on_plan = [this](const TrainPlan& plan) { return agrees(plan); };
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
    const bool on_device = plan.device != "digital";
    if (on_device && !request_.quiet && !(dry_run_ && request_.json))
      std::fprintf(dry_run_ ? stdout : stderr, "%s on %s: %s\n", plan.rule.c_str(), plan.device.c_str(),
                   cost_text(plan).c_str());
    if (dry_run_ && !on_device && !request_.json)
      std::printf("%s, digital: %s steps, no device\n", plan.rule.c_str(), grouped(plan.steps).c_str());
    if (limit_s_ && plan.device_seconds > *limit_s_) {
      std::fprintf(
          stderr,
          "lightloop: the run may need %s of device time (%s): more than --max-device-seconds %s. Give --yes to "
          "run it all the same, or a higher limit.\n",
          duration(plan.device_seconds).c_str(), cost_text(plan).c_str(), to_string(Value(*limit_s_)).c_str());
      refused_ = true;
    }
    if (dry_run_ || refused_) return false;
    progress_.start(plan.rule + " on " + device_model(plan.device), plan);
    return true;
  }

  const TrainRequest& request_;
  const Interrupt& interrupt_;
  Progress progress_;
  std::optional<double> limit_s_;
  bool dry_run_ = false, refused_ = false;
};

void print_result(const TrainResult& run, const std::vector<TrainResult>& baselines) {
  std::vector<std::vector<std::string>> rows = {
      {"rule", "accuracy", "device", "device frames", "device seconds", "joules", "samples/s"}};
  const auto add = [&](const TrainResult& result) {
    const bool physical = result.device_frames > 0;
    rows.push_back(
        {result.rule, percent(result.test_accuracy), device_model(result.device),
         physical ? grouped(result.device_frames) : "-",
         physical ? to_string(Value(static_cast<double>(static_cast<std::int64_t>(result.device_seconds * 10)) / 10))
                  : "-",
         physical ? to_string(Value(static_cast<std::int64_t>(result.device_joules))) : "-",
         grouped(static_cast<std::int64_t>(result.samples_per_second))});
  };
  add(run);
  for (const auto& baseline : baselines) add(baseline);
  std::fputs(table(rows).c_str(), stdout);
  if (!run.weights_sha256.empty()) std::printf("weights sha256 %s\n", run.weights_sha256.c_str());
  if (run.out.empty()) return;
  std::string files = run.out;
  for (const auto& baseline : baselines) files += " " + baseline.out;
  std::printf("run file%s %s (draw: lightloop plot %s)\n", baselines.empty() ? "" : "s", files.c_str(), files.c_str());
}

/// "run.h5", "bp" -> "run-bp.h5"
std::string beside(const std::string& out, const std::string& rule) {
  const std::filesystem::path path(out);
  return (path.parent_path() / (path.stem().string() + "-" + rule + path.extension().string())).string();
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
  const TrainResult result = run(request.settings, registry);
  if (run.refused()) return kRefused;
  if (run.dry_run()) return kDone;
  if (result.interrupted) return say_interrupted(result);
  std::vector<TrainResult> compared;
  for (TrainSettings settings : baselines(request.settings)) {
    if (!result.out.empty()) settings["train.out"] = beside(result.out, to_string(settings.at("train.rule")));
    compared.push_back(run(settings, registry));
    if (compared.back().interrupted) {
      std::fprintf(stderr, "lightloop: stopped during the baseline %s; %s is complete.\n", compared.back().rule.c_str(),
                   result.rule.c_str());
      return kInterrupted;
    }
  }
  if (request.json)
    std::fputs(run_json(result, compared).c_str(), stdout);
  else
    print_result(result, compared);
  return kDone;
}

}  // namespace lightloop::command
