#include "training/trainer.hpp"

#include <optional>
#include <thread>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "training/evaluate.hpp"
#include "training/feedback_path.hpp"
#include "training/loop.hpp"
#include "training/resume.hpp"

namespace lightloop {
namespace {

struct Start {
  TrainConfig config;
  std::optional<RunFile> stored;
};

Start read_settings(const TrainSettings& settings) {
  const auto asked = settings.find("train.resume");
  if (asked == settings.end()) return {resolve_config(settings), std::nullopt};
  // only resume and out are read from the first look: the rest may be completed by the file
  TrainSettings names;
  for (const char* key : {"train.resume", "train.out"})
    if (const auto found = settings.find(key); found != settings.end()) names.insert(*found);
  const std::string path = resolve_config(names).train.text("resume");
  if (path.empty()) return {resolve_config(settings), std::nullopt};
  Start start{{}, load_run(path)};
  if (start.stored->complete)
    throw InvalidParameter("train.resume", path, "this run is complete", "start from its weights with train.init_from");
  TrainSettings rest = settings;
  rest["train.resume"] = path;
  rest.try_emplace("train.out", path);
  start.config = resumed_config(rest, *start.stored);
  return start;
}

void check_device_time(const TrainPlan& plan, const ParamSet& train) {
  if (plan.device_seconds <= train.real("max_device_seconds") || train.boolean("yes")) return;
  throw Refused("device time of this run", format_quantity(plan.device_seconds, "s"),
                "train.max_device_seconds is " + format_quantity(train.real("max_device_seconds"), "s"),
                "agree with train.yes=true, or train for fewer epochs");
}

/// Finds out before the first frame whether the run file can be written.
void check_writable(const std::string& out) {
  if (!out.empty()) h5::Writer probe(out);
}

using Load = std::function<TrainTest(const ParamSet&)>;

TrainResult run(const TrainSettings& settings, const Load& load, const Registry& registry,
                const TrainObserver& observer) {
  Start start = read_settings(settings);
  const ParamSet options = start.config.train;
  check_writable(options.text("out"));
  const auto asked_threads = static_cast<int>(options.integer("threads"));
  set_threads(asked_threads > 0 ? asked_threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  check_device_settings(start.config, registry);
  TrainingLoop loop(std::move(start.config), load(options), registry, std::move(start.stored));

  const TrainPlan plan = loop.plan();
  if (observer.on_plan && !observer.on_plan(plan)) return loop.take_result();
  if (options.boolean("dry_run")) return loop.take_result();
  check_device_time(plan, options);

  loop.start();
  if (observer.on_warning)
    for (const std::string& text : loop.warnings()) observer.on_warning(text);
  check_device_time(loop.plan(), options);  // calibration may have made the exposure longer
  loop.save();
  const Index every = options.integer("checkpoint_every");
  while (!loop.finished()) {
    const Index epoch = loop.run().position.epoch + 1, step = loop.step_in_epoch() + 1;
    const double loss = loop.step();
    if (observer.on_step) observer.on_step(epoch, step, loop.steps_per_epoch(), loss);
    const bool epoch_ended = loop.step_in_epoch() == 0;
    if (epoch_ended && observer.on_epoch) observer.on_epoch(loop.run().epochs.back());
    if (loop.finished()) break;
    const bool stop = observer.stop && observer.stop();
    if (stop || epoch_ended || (every > 0 && step % every == 0)) loop.save();
    if (stop) {
      loop.close_recording();
      return loop.take_result();
    }
  }
  loop.finish();
  loop.close_recording();
  loop.save();
  return loop.take_result();
}

}  // namespace

TrainResult train(const TrainSettings& settings, const Registry& registry, const TrainObserver& observer) {
  return run(
      settings,
      [](const ParamSet& options) {
        return load_dataset(options.text("dataset"), options.text("data_dir"),
                            static_cast<std::uint64_t>(options.integer("seed")));
      },
      registry, observer);
}

TrainResult train(const TrainSettings& settings, TrainTest data, const Registry& registry,
                  const TrainObserver& observer) {
  check_data(data.train);
  check_data(data.test);
  return run(
      settings, [&data](const ParamSet&) { return std::move(data); }, registry, observer);
}

}  // namespace lightloop
