// What a run says of itself beside its curves: its hash, its warnings, why it is refused.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "devices/catalogue.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

TrainResult run(const TrainSettings& more, TrainTest data = cluster_task(), const TrainObserver& observer = {}) {
  Registry registry;
  add_devices(registry);
  TrainSettings s{{"train.net", "20-24-5"}, {"train.epochs", std::int64_t{1}}, {"train.batch", std::int64_t{100}}};
  for (const auto& [key, value] : more) s[key] = value;
  return train(s, std::move(data), registry, observer);
}

/// The same samples behind `columns` columns of `value`.
TrainTest behind_columns(Index columns, float value) {
  TrainTest data = cluster_task();
  for (Dataset* part : {&data.train, &data.test}) {
    Matrix<float> wider(part->size(), columns + part->features());
    for (Index r = 0; r < part->size(); ++r) {
      std::fill_n(wider.row(r).begin(), columns, value);
      std::ranges::copy(part->floats.row(r), wider.row(r).begin() + columns);
    }
    part->floats = std::move(wider);
    part->sample_shape = {part->features()};
  }
  return data;
}

}  // namespace

TEST_CASE("the hash of a run covers its rule's own parameters, not only the network") {
  const TemporaryFolder folder;
  const auto hash = [&](const char* rule, const TrainSettings& more = {}) {
    TrainSettings s{{"train.rule", std::string(rule)}};
    for (const auto& [key, value] : more) s[key] = value;
    return run(s).weights_sha256;
  };
  const std::string few = hash("mask", {{"rule.trials", std::int64_t{2}}});
  CHECK(few != hash("mask", {{"rule.trials", std::int64_t{20}}}));
  CHECK(few == hash("mask", {{"rule.trials", std::int64_t{2}}}));
  CHECK(few != hash("ridge"));
  CHECK(hash("ridge") != hash("ridge", {{"rule.ridge", 0.5}}));
  const TrainResult plain = run({}), mixing = run({{"train.rule", "lls"}, {"rule.mixing", "matrix"}});
  CHECK(plain.own.size() == 0);
  CHECK(plain.weights_sha256 == weights_sha256(plain.net));
  CHECK(mixing.weights_sha256 != weights_sha256(mixing.net));

  const std::string path = folder / "mask.h5";
  const TrainResult saved = run({{"train.rule", "mask"}, {"train.out", path}});
  const RunFile file = load_run(path);
  CHECK(weights_sha256(file) == saved.weights_sha256);
  CHECK(weights_sha256(file.net) != saved.weights_sha256);
}

TEST_CASE("rules that show labels in features say at the start when the data have something there") {
  const TemporaryFolder folder;
  for (const char* rule : {"ff", "phyll"}) {
    INFO(rule);
    std::vector<std::string> heard;
    TrainObserver observer;
    observer.on_warning = [&](const std::string& text) { heard.push_back(text); };
    const TrainSettings s{{"train.rule", std::string(rule)}};
    const TrainResult lost = run(s, cluster_task(), observer);
    REQUIRE(lost.warnings.size() == 1);
    CHECK(heard == lost.warnings);
    CHECK_THAT(heard[0], Catch::Contains("first 5 features") && Catch::Contains("5 of these vary") &&
                             Catch::Contains("one column of zeros per class"));
    TrainSettings wide = s;
    wide["train.net"] = "25-24-5";
    for (const float value : {0.0f, 0.3f}) CHECK(run(wide, behind_columns(5, value), observer).warnings.empty());
    wide["train.net"] = "23-24-5";
    CHECK(run(wide, behind_columns(3, 0), observer).warnings.size() == 1);
  }
  CHECK(run({{"train.rule", "bp"}}).warnings.empty());
  TrainTest images = make_digits(1, 200, 50);
  CHECK(run({{"train.rule", "ff"}, {"train.net", "784-20-10"}}, std::move(images)).warnings.empty());

  // it stays in the file of a run that is stopped, and is there once when that goes on
  TrainObserver stopping;
  stopping.stop = [] { return true; };
  const TrainSettings ff{{"train.rule", "ff"}, {"train.out", folder / "ff.h5"}};
  CHECK(run(ff, cluster_task(), stopping).interrupted);
  CHECK(run({{"train.rule", "ff"}, {"train.resume", folder / "ff.h5"}}).warnings.size() == 1);
}

TEST_CASE("a run that is resumed with another rule is refused by the rule, not by a setting that one lacks") {
  const TemporaryFolder folder;
  TrainObserver stopping;
  stopping.stop = [] { return true; };
  const std::string file = folder / "dfa.h5";
  CHECK(run({{"train.rule", "dfa"}, {"train.out", file}}, cluster_task(), stopping).interrupted);
  CHECK_THROWS_WITH(run({{"train.rule", "bp"}, {"train.resume", file}}),
                    Catch::Contains("train.rule: bp") && Catch::Contains("the run has dfa"));
  CHECK_NOTHROW(run({{"train.rule", "dfa"}, {"train.resume", file}}));
}
