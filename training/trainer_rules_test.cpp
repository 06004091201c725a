// What the trainer does for every rule of the list: learning, own parameters, resume, answers, local losses, counts.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/evaluate.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

TrainSettings small(const std::string& rule, const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", "20-32-24-5"},
                  {"train.rule", rule},
                  {"train.epochs", std::int64_t{6}},
                  {"train.lr", 5e-3},
                  {"train.batch", std::int64_t{32}}};
  if (rule == "pepg") s["rule.pairs"] = std::int64_t{4};
  if (rule == "noprop") s["rule.blocks"] = std::int64_t{3};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), Registry(), observer);
}

}  // namespace

TEST_CASE("every rule learns a small task, and its curves are complete") {
  // accuracy after 192 steps. The blind searches are slow, forward-forward kinds lose 5 of the 20 features to the
  // label, and a mask has three values. A rule without a floor is to be better than a guess: 0.2 of 500 samples, sd
  // 0.018 (one-sided alpha 1e-3).
  std::map<std::string, double> floors{{"spsa", 0.3},  {"pepg", 0.3},      {"ff", 0.8},
                                       {"phyll", 0.8}, {"reinforce", 0.5}, {"mask", 0.8}};
  for (const char* name :
       {"bp", "fa", "dfa", "tdfa", "sdfa", "drtp", "adfa", "sign_symmetric", "pepita", "local", "sff", "ccl", "lls",
        "auglocal", "ridge", "forward_gradient", "node_perturbation", "predictive_coding", "noprop"})
    floors[name] = 0.95;
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    const TrainResult result = run(small(model.info.name));
    INFO(model.info.name);
    const auto floor = floors.find(model.info.name);
    CHECK(result.test_accuracy > (floor == floors.end() ? 0.255 : floor->second));
    REQUIRE(result.epochs.size() == 6);
    CHECK(result.epochs.back().train_loss < result.epochs.front().train_loss);
    CHECK(result.epochs.back().epoch == 6);
    REQUIRE(result.alignment.size() == 2);
    for (const double a : result.alignment) CHECK((std::isnan(a) || (a > -1 && a <= 1.000001)));
    CHECK(result.weights_sha256.size() == 64);
    CHECK(result.device_frames == 0);
    CHECK_FALSE(result.interrupted);
    CHECK(result.samples_per_second > 0);
  }
}

TEST_CASE("a run of any rule, stopped and resumed, ends with the same weights and the same parameters of the rule") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    const TemporaryFolder folder;
    const TrainSettings settings = small(model.info.name, {{"train.epochs", std::int64_t{2}}});
    const TrainResult whole = run(settings);
    TrainSettings part = settings;
    part["train.out"] = folder / "run.h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == 20; };
    CHECK(run(part, stopping).interrupted);
    const TrainResult result = run({{"train.resume", folder / "run.h5"}});
    INFO(model.info.name);
    CHECK(result.weights_sha256 == whole.weights_sha256);
    CHECK(std::ranges::equal(result.own.flat(), whole.own.flat()));
    REQUIRE(result.epochs.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(result.epochs[i].train_loss == whole.epochs[i].train_loss);
      CHECK(result.epochs[i].layer_loss == whole.epochs[i].layer_loss);
      CHECK(result.epochs[i].touch == whole.epochs[i].touch);
      CHECK(result.epochs[i].test_accuracy == whole.epochs[i].test_accuracy);
    }
    const RunFile file = load_run(folder / "run.h5");
    CHECK(file.epochs[1].layer_loss == whole.epochs[1].layer_loss);
    CHECK(file.epochs[1].touch == whole.epochs[1].touch);
    const auto answers = answering_rule(file.net, model.info.name, file.rule.all(), 1, file.own.flat());
    CHECK((answers != nullptr) == model.info.own_answer);
    CHECK(evaluate(file.net, cluster_task().test, Loss::cross_entropy, answers.get()).accuracy == result.test_accuracy);
  }
}

TEST_CASE("a rule that keeps the net as it was drawn refuses weight decay") {
  CHECK_THROWS_WITH(run(small("ridge", {{"train.weight_decay", 0.1}})), Catch::Contains("ridge"));
}

TEST_CASE("layers, projection and writes are counted, and what was planned is not exceeded") {
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  const auto last = [&](const std::string& rule) {
    return run(small(rule, {{"train.epochs", std::int64_t{1}}}), observer).epochs.back().touch;
  };
  // 1000 samples in 32 steps through 3 layers
  CHECK(last("bp") == StepTouch{3000, 0, 96});
  CHECK(plan.touch_per_step == StepTouch{96, 0, 3});
  CHECK(last("dfa") == StepTouch{3000, 1000, 96});
  CHECK(last("pepita") == StepTouch{5000, 1000, 96});
  CHECK(last("spsa") == StepTouch{6000, 0, 96 + 2 * 96});
  CHECK(last("ff") == StepTouch{7000, 0, 96});
  CHECK(plan.touch_per_step == StepTouch{7 * 32, 0, 3});
  CHECK(last("node_perturbation") == StepTouch{6000, 0, 96});
}

TEST_CASE("the parameters of a rule must be those of its net") {
  const TrainResult result = run(small("sff", {{"train.epochs", std::int64_t{1}}}));
  CHECK_THROWS_AS(answering_rule(result.net, "sff", {}, 1, result.own.flat().subspan(1)), ShapeMismatch);
  CHECK(answering_rule(result.net, "bp", {}, 1, {}) == nullptr);
}

TEST_CASE("the late schedule holds the rate for half of the steps, then falls in a straight line") {
  const Schedule late{.kind = schedule_from("late"), .lr = 0.2};
  CHECK(late.at(0, 100) == 0.2);
  CHECK(late.at(50, 100) == 0.2);
  CHECK(late.at(75, 100) == Approx(0.1));
  CHECK(late.at(99, 100) == Approx(0.004));
}
