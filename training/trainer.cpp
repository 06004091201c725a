#include "training/trainer.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "core/error.hpp"
#include "core/file_lock.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "driver/api/device_list.hpp"
#include "training/evaluate.hpp"
#include "training/feedback_path.hpp"
#include "training/loop.hpp"
#include "training/resume.hpp"

namespace lightloop {
namespace {

struct Start {
  TrainConfig config;
  std::optional<RunFile> stored;
  std::unique_ptr<FileLock> lock;  ///< on train.out
};

/// The run file to go on with; empty: none. Reads nothing else, because the file may complete the other settings.
std::string file_to_resume(const TrainSettings& settings) {
  if (!settings.contains("train.resume")) return {};
  TrainSettings names;
  for (const char* key : {"train.resume", "train.out"})
    if (const auto found = settings.find(key); found != settings.end()) names.insert(*found);
  return resolve_config(names).train.text("resume");
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code missing;
  return a == b || std::filesystem::equivalent(a, b, missing);
}

/// Makes `out` ours: nobody else writes it while the lock lives, and what it holds may go.
std::unique_ptr<FileLock> take(const std::string& out, bool replace) {
  if (out.empty()) return nullptr;
  auto lock = std::make_unique<FileLock>(out);
  if (!replace) refuse_existing(out);
  return lock;
}

/// A recording may be of light that never comes back.
void refuse_old_recording(const ParamSet& train) {
  if (train.text("record").empty() || train.boolean("force")) return;
  for (const std::string& record : counted(train.text("record")))
    if (run_state(record) != RunState::missing)
      throw FileError(record, "exists already", "",
                      "Name another file, or replace it with --force (train.force=true).");
}

Start read_settings(const TrainSettings& settings) {
  const std::string path = file_to_resume(settings);
  Start start;
  if (path.empty()) {
    start.config = resolve_config(settings);
    start.lock = take(start.config.train.text("out"), start.config.train.boolean("force"));
    refuse_old_recording(start.config.train);
    return start;
  }
  TrainSettings rest = settings;
  rest["train.resume"] = path;
  const std::string out = to_string(rest.try_emplace("train.out", path).first->second);
  const bool in_place = same_file(out, path);
  if (in_place) start.lock = take(out, true);  // before it is read: another program may be writing it
  start.stored = load_run(path);
  if (start.stored->complete)
    throw InvalidParameter("train.resume", path, "this run is complete", "start from its weights with train.init_from");
  start.config = resumed_config(rest, *start.stored);
  if (!in_place) start.lock = take(out, start.config.train.boolean("force"));
  return start;
}

void check_device_time(const TrainPlan& plan, const ParamSet& train) {
  if (plan.device_seconds <= train.real("max_device_seconds") || train.boolean("yes")) return;
  throw Refused("device time of this run", format_quantity(plan.device_seconds, "s"),
                "train.max_device_seconds is " + format_quantity(train.real("max_device_seconds"), "s"),
                "agree with train.yes=true, or train for fewer epochs");
}

/// Saves a run, and knows when the next end of an epoch is worth a checkpoint: where saving takes at most a tenth of
/// the time, so that epochs of milliseconds do not wait for the disk. A run that is killed loses no more than ten times
/// that, and an epoch.
class Checkpoints {
 public:
  explicit Checkpoints(TrainingLoop& loop) : loop_(loop) {}
  void save() {
    const auto begun = Clock::now();
    loop_.save();
    saved_ = Clock::now();
    cost_ = saved_ - begun;
  }
  bool due() const { return Clock::now() - saved_ >= 9 * cost_; }

 private:
  using Clock = std::chrono::steady_clock;
  TrainingLoop& loop_;
  Clock::time_point saved_{};
  Clock::duration cost_{};
};

using Load = std::function<TrainTest(const ParamSet&)>;

TrainResult run(const TrainSettings& settings, const Load& load, const Registry& registry,
                const TrainObserver& observer) {
  Start start = read_settings(settings);
  const ParamSet options = start.config.train;
  const auto asked_threads = static_cast<int>(options.integer("threads"));
  set_threads(asked_threads > 0 ? asked_threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  check_device_settings(start.config, registry);
  TrainingLoop loop(std::move(start.config), load(options), registry, std::move(start.stored));

  const std::vector<std::string> first = loop.first_warnings();
  if (observer.on_warning)
    for (const std::string& text : first) observer.on_warning(text);
  const TrainPlan plan = loop.plan();
  if (observer.on_plan && !observer.on_plan(plan)) return loop.take_result();
  if (options.boolean("dry_run")) return loop.take_result();
  check_device_time(plan, options);

  if (loop.calibrate()) {
    const TrainPlan calibrated = loop.plan();  // the exposure may have become longer
    if (observer.on_calibrated) observer.on_calibrated(calibrated);
    if (observer.on_warning)
      for (const std::string& text : std::span(loop.run().warnings).subspan(first.size())) observer.on_warning(text);
    check_device_time(calibrated, options);
    loop.measure();
  }
  Checkpoints checkpoints(loop);
  checkpoints.save();
  const Index every = options.integer("checkpoint_every");
  while (!loop.finished()) {
    const Index epoch = loop.run().position.epoch + 1, step = loop.step_in_epoch() + 1;
    double loss = 0;
    try {
      loss = loop.step();
    } catch (...) {
      loop.remove_empty_file();
      throw;
    }
    if (observer.on_warning)
      for (const std::string& text : loop.news()) observer.on_warning(text);
    if (observer.on_step) observer.on_step(epoch, step, loop.steps_per_epoch(), loss);
    const bool epoch_ended = loop.step_in_epoch() == 0;
    if (epoch_ended && observer.on_epoch) observer.on_epoch(loop.run().epochs.back());
    if (loop.finished()) break;
    const bool stop = observer.stop && observer.stop();
    if (stop || (every > 0 ? epoch_ended || step % every == 0 : epoch_ended && checkpoints.due())) checkpoints.save();
    if (stop) {
      loop.close_recording();
      return loop.take_result();
    }
  }
  loop.finish();
  loop.close_recording();
  checkpoints.save();
  return loop.take_result();
}

}  // namespace

TrainSettings with_stored(const TrainSettings& settings) {
  const std::string path = file_to_resume(settings);
  if (path.empty()) return settings;
  const RunFile stored = load_run(path);
  resumed_config(settings, stored);
  TrainSettings all = stored_settings(stored);
  for (const auto& [key, value] : settings) all[key] = value;
  all["train.resume"] = path;
  return all;
}

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
