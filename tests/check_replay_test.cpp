// The conformance suite over recordings: of the suite itself on devices of the catalogue, and of a training run.
#include <catch2/catch.hpp>
#include <map>

#include "driver/api/conformance.hpp"
#include "driver/recorder/check_recording.hpp"
#include "tests/use_device_for_tests.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/trainer.hpp"

using namespace lightloop;
using Outcome = CheckResult::Outcome;

TEST_CASE("the suite runs against replay: as against the device whose answers were recorded") {
  const TemporaryFolder folder;
  const Registry registry = test::all_devices();
  for (const char* name : {"opu", "crossbar", "delay_vcsel"}) {
    const std::string device = std::string("sim:") + name, file = folder / (std::string(name) + ".h5");
    INFO(device);
    CheckRecording recording(file, device, registry.candidate(device));
    const auto live = check_device(recording);
    recording.close();
    const auto replayed = check_device(*registry.candidate("replay:" + file));
    REQUIRE(replayed.size() == live.size());
    std::size_t passed = 0;
    for (std::size_t i = 0; i < live.size(); ++i) {
      INFO(live[i].name << ": " << live[i].detail << " | " << replayed[i].detail);
      CHECK(replayed[i].outcome != Outcome::failed);
      CHECK(replayed[i].outcome == live[i].outcome);
      CHECK(replayed[i].detail == live[i].detail);
      passed += replayed[i].outcome == Outcome::passed;
    }
    CHECK(passed >= 40);  // of 47
  }
}

TEST_CASE("the suite asks the recording of a training run what it holds, and skips the rest with a reason") {
  const TemporaryFolder folder;
  const std::string file = folder / "session.h5";
  train({{"train.net", "20-32-24-5"},
         {"train.rule", "tdfa"},
         {"train.epochs", std::int64_t{1}},
         {"train.device", "sim:opu"},
         {"train.record", file}},
        cluster_task(), test::all_devices());
  const Registry registry = test::all_devices();
  std::map<std::string, CheckResult> results;
  for (const CheckResult& result : check_device(*registry.candidate("replay:" + file))) {
    INFO(result.name << ": " << result.detail);
    CHECK(result.outcome != Outcome::failed);
    if (result.outcome == Outcome::skipped) CHECK_FALSE(result.detail.empty());
    results[result.name] = result;
  }
  for (const char* claim : {"the description is complete", "counters, time and energy only grow, by what was run",
                            "an unknown setting is refused and the nearest one named",
                            "frames of wrong size, width or count are refused and change nothing",
                            "codes do not depend on how a batch is cut", "a Session gives the codes of the device",
                            "a deadline that has passed is a Timeout and changes nothing"}) {
    INFO(claim << ": " << results.at(claim).detail);
    CHECK(results.at(claim).outcome == Outcome::passed);
  }
  CHECK(results.at("one seed gives one device, another seed another").detail.find("not in the recording") == 0);
}
