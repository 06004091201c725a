// The whole loop: training with the error projected by the simulated optical bench, noise and drift on.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "core/error.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/opening.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/feedback.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

constexpr const char* kVictim = "LIGHTLOOP_TEST_RUN_FILE";

Registry all_devices() {
  Registry registry;
  add_devices(registry);
  return registry;
}

TrainSettings optical(const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", "20-32-24-5"},       {"train.rule", "tdfa"},
                  {"train.epochs", std::int64_t{4}}, {"train.lr", 1e-2},
                  {"train.batch", std::int64_t{32}}, {"train.device", "sim:opu,medium.drift_time=600 s"}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), all_devices(), observer);
}

}  // namespace

TEST_CASE("ternary DFA learns through the simulated bench with either read-out, within its plan") {
  for (const char* readout : {"anchor", "phase4"}) {
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    const TrainResult result =
        run(optical({{"train.readout", readout}, {"train.alignment_every", std::int64_t{1}}}), observer);
    INFO(readout);
    CHECK(result.test_accuracy > 0.95);  // chance is 0.2
    CHECK(plan.encoding == "ternary");
    CHECK(plan.readout == readout);
    CHECK(result.device_frames > 0);
    CHECK(result.device_frames < plan.device_frames);  // confident samples need no frame
    CHECK(result.device_seconds > 0);
    CHECK(result.device_joules > 0);
    CHECK(result.health_start.repeat_correlation > 0.9);
    CHECK(result.health_end.repeat_correlation > 0.9);
    for (const double a : result.alignment) CHECK(a > 0.2);
    CHECK(result.epochs.back().weight_alignment.empty());  // nobody knows the matrix
  }
}

TEST_CASE("device fidelity is near 1 on a steady bench and falls where the medium drifts, a stop does not change it") {
  const TemporaryFolder folder;
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  const TrainSettings steady = optical({{"train.fidelity", true}, {"train.epochs", std::int64_t{2}}});
  const TrainResult result = run(steady, observer);
  CHECK(result.device_frames < plan.device_frames);
  for (const EpochResult& epoch : result.epochs) CHECK((epoch.fidelity > 0.8 && epoch.fidelity < 1));
  TrainSettings fast = steady;
  fast["train.device"] = "sim:opu,medium.drift_time=1 s";
  CHECK(run(fast).epochs[1].fidelity < result.epochs[1].fidelity - 0.1);
  TrainSettings stopped = steady;
  const std::string path = folder / "run.h5";
  stopped["train.out"] = path;
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 10; };
  CHECK(run(stopped, stopping).interrupted);
  const TrainResult resumed = run({{"train.resume", path}});
  CHECK(resumed.weights_sha256 == result.weights_sha256);
  CHECK(resumed.epochs[1].fidelity == result.epochs[1].fidelity);
  REQUIRE(result.epochs[1].weight_alignment.size() == 2);  // to the columns that the fidelity wants
  CHECK(resumed.epochs[1].weight_alignment == result.epochs[1].weight_alignment);
  CHECK(load_run(path).epochs[0].fidelity == result.epochs[0].fidelity);
}

TEST_CASE("with a delay DFA learns through the bench, within its plan, and a stop changes no bit") {
  for (const char* rule : {"dfa", "tdfa"}) {
    INFO(rule);
    const TrainSettings settings = optical({{"train.rule", rule},
                                            {"rule.delay", std::int64_t{1}},
                                            {"train.fidelity", true},
                                            {"train.epochs", std::int64_t{3}},
                                            {"train.alignment_every", std::int64_t{5}}});
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    const TrainResult whole = run(settings, observer);
    CHECK(whole.test_accuracy > 0.95);  // chance is 0.2
    CHECK(whole.device_frames <= plan.device_frames);
    CHECK(whole.epochs.back().waited_s >= 0);
    CHECK(whole.epochs.back().waited_s <= whole.epochs.back().train_s);
    const TemporaryFolder folder;
    TrainSettings part = settings;
    part["train.out"] = folder / "run.h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps % 25 == 0; };
    TrainResult result = run(part, stopping);
    while (result.interrupted) result = run({{"train.resume", folder / "run.h5"}}, stopping);
    CHECK(result.weights_sha256 == whole.weights_sha256);
    CHECK(result.device_frames == whole.device_frames);
    CHECK(result.epochs.back().fidelity == whole.epochs.back().fidelity);
    const RunFile file = load_run(folder / "run.h5");
    CHECK(file.epochs.back().waited_s == result.epochs.back().waited_s);
    CHECK(file.epochs.back().waited_s > file.epochs.front().waited_s);
  }
}

TEST_CASE("a fixed exposure is in the plan's device time, and codes clipped by it are warned of") {
  TrainPlan plan;
  std::vector<std::string> warnings;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  observer.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  const auto settings = optical({{"train.epochs", std::int64_t{1}}, {"projection.exposure", 1.0}});
  const TrainResult result = run(settings, observer);
  CHECK(plan.device_seconds > static_cast<double>(plan.device_frames));  // a second each, and the guard
  CHECK(result.device_seconds <= plan.device_seconds);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Catch::Contains("clipped"));
  TrainSettings less = settings;
  less["train.max_device_seconds"] = 100.0;
  CHECK_THROWS_AS(run(less), Refused);
}

TEST_CASE("no light is an error, whatever the camera's noise suggests") {
  const auto settings = optical({{"train.device", "sim:opu,laser.pixel_power=0"}});
  for (std::int64_t seed = 1; seed <= 3; ++seed) {
    TrainSettings one = settings;
    one["train.seed"] = seed;
    CHECK_THROWS_WITH(run(one), Catch::Contains("no light"));
  }
}

TEST_CASE("dfa on a binary device shows bit planes and the plan says so") {
  std::string encoding;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    encoding = p.encoding;
    return true;
  };
  CHECK(run(optical({{"train.rule", "dfa"}, {"train.epochs", std::int64_t{2}}}), observer).test_accuracy > 0.95);
  CHECK(encoding == "bitplanes:6");
}

TEST_CASE("a digital run with the matrix of an ideal device is the run on that device") {
  const char* device = "sim:opu,preset=ideal,seed=3";
  const auto weights = [](const TrainSettings& more) {
    TrainSettings s = optical(more);
    s["train.epochs"] = std::int64_t{1};
    return run(s).net;
  };
  const auto distance = [](const Network& a, const Network& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.parameters().size(); ++i)
      sum += std::pow(double(a.parameters()[i]) - double(b.parameters()[i]), 2);
    return std::sqrt(sum);
  };
  const Network light = weights({{"train.device", device}});
  const Network digital = weights({{"train.device", "digital"}, {"rule.matrix_from", device}});
  const Network other = weights({{"train.device", "digital"}});
  CHECK(distance(light, digital) < 0.05 * distance(light, other));  // the codes have 16 bits
}

TEST_CASE("measuring a matrix is planned, metered, limited and not repeated by a resume") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainSettings measured =
      optical({{"train.device", "digital"}, {"rule.matrix_from", "sim:opu"}, {"train.out", path}});
  TrainPlan plan, calibrated;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  observer.on_calibrated = [&](const TrainPlan& p) { calibrated = p; };
  int steps = 0;
  observer.stop = [&] { return ++steps == 40; };
  const TrainResult part = run(measured, observer);
  CHECK(plan.device_frames > 2 * 5);  // an anchor read-out shows two frames per unit vector
  CHECK(part.device_frames > 2 * 5);
  CHECK(part.device_frames <= plan.device_frames);
  CHECK(part.device_seconds <= calibrated.device_seconds);
  const RunFile file = load_run(path);
  CHECK(file.about_device.address == "sim:opu");
  REQUIRE(file.measured);
  CHECK(file.measured->frames == part.device_frames);
  CHECK(file.measured->device_s == part.device_seconds);
  const TrainResult whole = run({{"train.resume", path}});
  CHECK(whole.device_frames == part.device_frames);
  TrainSettings again = measured;
  again["train.force"] = true;
  CHECK(whole.weights_sha256 == run(again).weights_sha256);
  again["train.max_device_seconds"] = 1e-3;
  CHECK_THROWS_AS(run(again), Refused);
}

TEST_CASE("after calibration the plan holds at the exposure that was found") {
  TrainPlan plan, calibrated;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  observer.on_calibrated = [&](const TrainPlan& p) { calibrated = p; };
  // so little light that the search ends far from the exposure the device is opened with
  const TrainResult result =
      run(optical({{"train.device", "sim:opu,laser.pixel_power=1 fW,preset=ideal"}, {"train.epochs", std::int64_t{1}}}),
          observer);
  CHECK(plan.exposure_s == 0);
  CHECK(calibrated.exposure_s > 0);
  CHECK(calibrated.device_frames == plan.device_frames);
  CHECK(calibrated.device_seconds > 1.5 * plan.device_seconds);
  CHECK(result.device_seconds <= calibrated.device_seconds);
}

TEST_CASE("what calibration warned of is in the result and in the file, a resume later too") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 5; };
  run(optical({{"train.out", path}, {"projection.exposure", 1.0}, {"train.epochs", std::int64_t{1}}}), stopping);
  int heard = 0;
  TrainObserver listening;
  listening.on_warning = [&](const std::string&) { ++heard; };
  const TrainResult result = run({{"train.resume", path}}, listening);
  CHECK(heard == 0);  // the first call said it
  REQUIRE(result.warnings.size() == 1);
  CHECK_THAT(result.warnings[0], Catch::Contains("clipped"));
  CHECK(load_run(path).warnings == result.warnings);
}

TEST_CASE("a net without hidden layers asks nothing of the device") {
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  const TrainResult result = run(optical({{"train.net", "20-5"}}), observer);
  CHECK(plan.device_frames == 0);
  CHECK(result.device_frames == 0);
  CHECK(result.test_accuracy > 0.95);
  CHECK_THROWS_WITH(run(optical({{"train.net", "20-5"}, {"train.record", "never.h5"}})),
                    Catch::Contains("no hidden layer"));
}

TEST_CASE(
    "drtp shows the columns of its classes at the start and after rule.refresh epochs, whatever stops in between") {
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  const TrainSettings once = optical({{"train.rule", "drtp"}, {"train.fidelity", true}});
  TrainSettings twice = once, few = once;
  twice["rule.refresh"] = std::int64_t{2};
  few["train.samples"] = std::int64_t{100};
  const TrainResult whole = run(twice, observer), kept = run(once), short_run = run(few);
  CHECK(whole.test_accuracy > 0.9);  // chance is 0.2
  CHECK(plan.touch_per_step.projections == 0);
  CHECK(whole.device_frames <= plan.device_frames);
  const auto frames = [](const TrainResult& result, std::size_t epoch) {
    return result.epochs[epoch].device_frames - result.epochs[epoch - 1].device_frames;
  };
  const std::int64_t check = frames(kept, 2);  // of the fidelity
  CHECK(frames(whole, 1) == check);
  CHECK(frames(whole, 2) > check);
  CHECK(frames(whole, 3) == check);
  CHECK(short_run.device_frames == kept.device_frames);  // however many samples there are
  CHECK(whole.epochs[1].touch.projections == 5 * 8);
  CHECK(whole.epochs[3].touch.projections == 2 * 5 * 8);
  CHECK(whole.epochs[1].train_loss == kept.epochs[1].train_loss);
  CHECK(whole.weights_sha256 != kept.weights_sha256);
  CHECK(whole.epochs[3].weight_alignment.size() == 2);
  for (const int stop : {40, 64, 70}) {  // 32 steps make an epoch
    const TemporaryFolder folder;
    TrainSettings part = twice;
    part["train.out"] = folder / "run.h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == stop; };
    CHECK(run(part, stopping).interrupted);
    const TrainResult resumed = run({{"train.resume", folder / "run.h5"}});
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.device_frames == whole.device_frames);
    CHECK(resumed.epochs[3].touch == whole.epochs[3].touch);
    CHECK(resumed.epochs[3].weight_alignment == whole.epochs[3].weight_alignment);
  }
}

TEST_CASE("columns averaged over eight frames are those of the device, with a third of the read noise") {
  // Two readings of one column differ by noise alone: with s of one, sqrt(2) s, and sqrt(2 / 8) s of the mean of eight.
  const Registry registry = all_devices();
  const auto session = open_session(registry, "sim:opu,input.size=16,seed=3", {});
  Projection projection(*session, 5, 64, {{"encoding", "threshold"}});
  const auto spread = [&](Index repeats) {
    const Matrix<float> a = measure_matrix(projection, repeats), b = measure_matrix(projection, repeats);
    double squares = 0;
    for (std::size_t i = 0; i < a.flat().size(); ++i) squares += std::pow(double(a.flat()[i] - b.flat()[i]), 2);
    return squares / double(a.size());
  };
  // ratio of variances of 320 differences each: F(320, 320), two-sided alpha 1e-4: within 0.64 and 1.55 of 1
  const double ratio = spread(kColumnRepeats) / spread(1) * double(kColumnRepeats);
  CHECK((ratio > 0.64 && ratio < 1.55));
}

TEST_CASE("a stopped optical run resumes bit by bit, noise and drift on, with another thread count") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainResult whole = run(optical({{"train.threads", std::int64_t{1}}}));
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 45; };  // 32 steps make an epoch
  CHECK(run(optical({{"train.out", path}}), stopping).interrupted);
  const TrainResult resumed = run({{"train.resume", path}, {"train.threads", std::int64_t{2}}});
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.device_frames == whole.device_frames);
  CHECK(resumed.health_end.repeat_correlation == whole.health_end.repeat_correlation);
  CHECK(load_run(path).health_start.dark_level == whole.health_start.dark_level);
}

TEST_CASE("more device time than agreed is refused before the first frame") {
  CHECK_THROWS_WITH(run(optical({{"train.max_device_seconds", 0.5}})), Catch::Contains("train.yes"));
  CHECK_NOTHROW(run(optical({{"train.max_device_seconds", 0.5}, {"train.dry_run", true}})));
}

// Run by the next test in a process of its own, which is killed.
TEST_CASE("victim", "[.victim]") {
  run(optical({{"train.epochs", std::int64_t{200}},
               {"train.out", std::getenv(kVictim)},
               {"train.checkpoint_every", std::int64_t{3}}}));
}

TEST_CASE("kill -9 leaves a readable run file, and resuming it ends with the weights of an undisturbed run") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kVictim, path.c_str(), 1);
    ::execl("/proc/self/exe", "victim", "[.victim]", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  REQUIRE(child > 0);
  const auto steps_saved = [&] {
    try {
      const RunFile file = load_run(path);
      return file.step_loss.size();
    } catch (const Error&) {
      return std::size_t{0};
    }
  };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (steps_saved() < 10 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  const std::size_t saved = steps_saved();
  REQUIRE(saved >= 10);
  REQUIRE(saved < 200 * 32);
  // both go on to the same step; the whole run would take too long
  const auto go_to = [&](const TrainSettings& s) {
    TrainObserver stopping;
    std::size_t done = 0;
    stopping.on_step = [&](Index epoch, Index step, Index steps, double) {
      done = std::size_t((epoch - 1) * steps + step);
    };
    stopping.stop = [&] { return done == saved + 40; };
    return run(s, stopping);
  };
  const TrainResult resumed = go_to({{"train.resume", path}});
  const TrainResult whole = go_to(optical({{"train.epochs", std::int64_t{200}}, {"train.out", folder / "whole.h5"}}));
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
}
