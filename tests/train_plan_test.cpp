// What a run on the devices of its layers, or behind physics, takes, against what was said before.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "devices/catalogue.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

struct Told {
  TrainPlan plan;
  TrainResult result;
};

/// One epoch with a short last batch, scored in more than one piece.
Told run(const std::string& rule, const std::string& layers, const TrainSettings& more = {}) {
  Registry registry;
  add_devices(registry);
  TrainSettings s{{"train.net", "20-24-16-5"}, {"train.rule", rule},     {"train.epochs", std::int64_t{1}},
                  {"train.lr", 1e-3},          {"train.layers", layers}, {"train.batch", std::int64_t{25}}};
  for (const auto& [key, value] : more) s[key] = value;
  Told told;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& plan) {
    told.plan = plan;
    return true;
  };
  told.result = train(s, {clusters(60, 1), clusters(540, 2), clusters(30, 3)}, registry, observer);
  return told;
}

void check_bound(const Told& told) {
  CHECK(told.result.device_frames > 0);
  CHECK(told.result.device_frames <= told.plan.device_frames);
  CHECK(told.result.device_seconds <= told.plan.device_seconds * (1 + 1e-9));
  CHECK(told.result.device_writes <= told.plan.device_writes);
}

/// How many rules could run there.
int check_all_rules(const std::string& layers, const TrainSettings& more) {
  int ran = 0;
  for (const RuleModel& model : rules()) {
    INFO(model.info.name << " on " << layers);
    try {
      check_bound(run(model.info.name, layers, more));
      ++ran;
    } catch (const Unsupported&) {  // graphs, passes in memory alone
    }
  }
  return ran;
}

}  // namespace

TEST_CASE("no rule asks more of the devices of its layers than was said, repeats of clipped rows among it") {
  constexpr int kMost = 20;                                         // of the rules, all but those for graphs
  CHECK(check_all_rules("sim:crossbar,adc.range=2", {}) >= kMost);  // every third row is shown again
  // tiles of unequal number, none shown twice: the bound is as near as it can be
  CHECK(check_all_rules("sim:crossbar,input.size=16,output.size=16", {{"layer.bound_management", "none"}}) >= kMost);
}

TEST_CASE("rules that pass blocks of any layers more than once ask no more of devices than was said") {
  const TrainSettings net{
      {"train.net", "4x5x1 | conv 3 3, batch_norm, tanh | conv 4 3, tanh | flatten, dense 12, tanh | dense 5"},
      {"train.samples", std::int64_t{50}},
      {"layer.bound_management", "none"}};
  for (const auto& [rule, settings] :
       std::vector<std::pair<std::string, TrainSettings>>{{"forward_gradient", {{"rule.guess", "ntk"}}},
                                                          {"forward_gradient", {{"rule.target", "local"}}},
                                                          {"node_perturbation", {{"rule.two_sided", true}}},
                                                          {"pepita", {}}}) {
    INFO(rule);
    TrainSettings asked = net;
    asked.insert(settings.begin(), settings.end());
    const Told told = run(rule, "sim:crossbar", asked);
    check_bound(told);
    CHECK(told.plan.device_frames <= 2 * told.result.device_frames);
  }
}

TEST_CASE("no rule asks more of the physics in front of its layers than was said, layers of several frames among it") {
  // 20, 24 and 16 numbers, ten at a time: two, three and two frames, and no short batch that would leave the bound room
  const TrainSettings physics{{"train.map", "sim:wave,encoding=phase,input.size=10,output.size=12"},
                              {"train.samples", std::int64_t{50}}};
  CHECK(check_all_rules("", physics) >= 24);
  const std::vector<std::pair<std::string, TrainSettings>> more{
      {"ff", {{"rule.answer", "goodness"}}},
      {"phyll", {{"rule.showings", std::int64_t{3}}}},
      {"sff", {{"rule.answer", "softmax"}}},
      {"local", {{"rule.answer", "sum"}}},
      {"forward_gradient", {{"rule.guess", "ntk"}, {"rule.directions", std::int64_t{3}}}},
      {"forward_gradient", {{"rule.target", "local"}}},
      {"node_perturbation", {{"rule.two_sided", true}, {"rule.directions", std::int64_t{2}}}},
      {"spsa", {{"rule.directions", std::int64_t{2}}}},
      {"dfa", {{"rule.matrix_from", "sim:opu"}}},
      {"pepita", {{"rule.matrix_from", "sim:opu"}}}};
  for (const auto& [rule, settings] : more) {
    INFO(rule << " with " << settings.begin()->first);
    TrainSettings asked = physics;
    asked.insert(settings.begin(), settings.end());
    const Told told = run(rule, "", asked);
    check_bound(told);
    CHECK(told.plan.device_frames <= 3 * told.result.device_frames);
  }
}

TEST_CASE("a device that is written anew for every tile is planned with its writes") {
  for (const char* rule : {"bp", "noprop", "phyll", "spsa", "ff"}) {
    INFO(rule);
    const auto [plan, result] =
        run(rule, "sim:crossbar", {{"layer.devices", "one"}, {"layer.bound_management", "none"}});
    CHECK(result.device_frames <= plan.device_frames);
    CHECK(result.device_writes <= plan.device_writes);
    CHECK(plan.device_writes <= 2 * result.device_writes);
    CHECK(result.device_seconds <= plan.device_seconds * (1 + 1e-9));
    CHECK(plan.device_seconds <= 2 * result.device_seconds);
  }
}

TEST_CASE("the plan of back-propagation is near what it takes where no row is shown again, also backwards") {
  for (const char* way : {"weights", "device"}) {
    const auto [plan, result] =
        run("bp", "sim:crossbar", {{"layer.bound_management", "none"}, {"layer.backward", way}});
    CHECK(plan.device_frames == plan.frames_shown_once);
    CHECK(result.device_frames <= plan.device_frames);
    CHECK(plan.device_frames <= result.device_frames * 11 / 10);  // the last batch is short
    CHECK(plan.device_writes == 3 * (3 + 1));                     // layers, steps and one before the scores
    CHECK(result.device_writes == plan.device_writes);
    REQUIRE(result.devices.size() == 1);
    CHECK(result.devices[0].writes == plan.device_writes);
  }
}

TEST_CASE("a matrix that is to be measured does not hide what the rule will show to the layers") {
  for (const char* rule : {"dfa", "pepita"}) {
    INFO(rule);
    const auto [plan, result] =
        run(rule, "sim:crossbar", {{"rule.matrix_from", "sim:opu"}, {"layer.bound_management", "none"}});
    CHECK(result.device_frames <= plan.device_frames);
    CHECK(result.device_frames >= plan.device_frames / 3);
  }
}

TEST_CASE("the limit of device time holds for a run whose rows are shown again as often as they may be") {
  const TrainPlan plan = run("bp", "sim:crossbar").plan;
  REQUIRE(plan.seconds_shown_once < plan.device_seconds);
  CHECK(plan.device_frames == 11 * plan.frames_shown_once);  // layer.max_repeats = 10
  const double between = (plan.seconds_shown_once + plan.device_seconds) / 2;
  CHECK_THROWS_AS(run("bp", "sim:crossbar", {{"train.max_device_seconds", between}}), Refused);
  CHECK_NOTHROW(run("bp", "sim:crossbar", {{"train.max_device_seconds", plan.device_seconds * 1.001}}));
  CHECK_NOTHROW(
      run("bp", "sim:crossbar", {{"train.max_device_seconds", between}, {"layer.max_repeats", std::int64_t{1}}}));
}
