// Where a run is written: never over something else, never by two at once, never with weights that are no numbers.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/run_file.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;

namespace {

TrainSettings small(const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", "20-16-5"},
                  {"train.rule", "tdfa"},
                  {"train.epochs", std::int64_t{1}},
                  {"train.batch", std::int64_t{32}}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), Registry(), observer);
}

TrainObserver stop_after(int steps) {
  TrainObserver observer;
  observer.stop = [steps, done = 0]() mutable { return ++done == steps; };
  return observer;
}

}  // namespace

TEST_CASE("a run file that exists is kept, whatever it holds, unless train.force") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5", text = folder / "notes.txt";
  run(small({{"train.out", path}}), stop_after(3));
  CHECK(run_state(path) == RunState::unfinished);
  std::string before = read_file(path);
  CHECK_THROWS_WITH(run(small({{"train.out", path}})), Contains("--resume " + path) && Contains("--force"));
  CHECK(read_file(path) == before);
  run({{"train.resume", path}});
  CHECK(run_state(path) == RunState::complete);
  before = read_file(path);
  CHECK_THROWS_WITH(run(small({{"train.out", path}})), Contains("finished run") && Contains("--force"));
  CHECK(read_file(path) == before);
  write_file(text, "mine");
  CHECK_THROWS_WITH(run(small({{"train.out", text}})), Contains("no run file"));
  CHECK(read_file(text) == "mine");
  CHECK_NOTHROW(run(small({{"train.out", path}, {"train.force", true}, {"train.seed", std::int64_t{2}}})));
  CHECK(load_run(path).train.integer("seed") == 2);
  CHECK(folder.files() == 2);
}

TEST_CASE("while a run is being written nobody else writes or resumes it") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int refused = 0;
  TrainObserver observer;
  observer.on_step = [&](Index, Index step, Index, double) {
    if (step != 2) return;
    for (const TrainSettings& other :
         {small({{"train.out", path}, {"train.force", true}}), TrainSettings{{"train.resume", path}}}) {
      CHECK_THROWS_WITH(run(other), Contains(path) && Contains("another program is writing it"));
      ++refused;
    }
  };
  run(small({{"train.out", path}}), observer);
  CHECK(refused == 2);
  CHECK(folder.files() == 1);
}

TEST_CASE("a resumed run remembers its baselines and its first weights") {
  const TemporaryFolder folder;
  const std::string first = folder / "first.h5", path = folder / "run.h5";
  run(small({{"train.out", first}}));
  const TrainSettings asked = small({{"train.baseline", "bp,dfa"}, {"train.init_from", first}, {"rule.scale", 2.0}});
  TrainSettings begun = asked;
  begun["train.out"] = path;
  run(begun, stop_after(3));
  const TrainSettings all = with_stored({{"train.resume", path}});
  const auto runs = baselines(all), expected = baselines(asked);
  REQUIRE(runs.size() == 2);
  for (std::size_t i = 0; i < 2; ++i)
    for (const auto& [key, value] : expected[i]) CHECK(runs[i].at(key) == value);
  CHECK(runs[0].at("train.init_from") == Value(first));
  CHECK_THROWS_WITH(with_stored({{"train.resume", path}, {"train.lr", 0.5}}), Contains("train.lr"));
  CHECK(with_stored(asked) == asked);
  CHECK(run({{"train.resume", path}}).weights_sha256 == run(asked).weights_sha256);
}

TEST_CASE("weights that the very last step made infinite are an error, and do not reach the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  TrainTest far = cluster_task();
  for (Dataset* set : {&far.train, &far.test})
    for (float& value : set->floats.flat()) value *= 1e36f;
  const TrainSettings one_step{{"train.net", "20-5"},
                               {"train.rule", "bp"},
                               {"train.optimizer", "sgd"},
                               {"train.schedule", "constant"},
                               {"train.lr", 1000.0},
                               {"train.epochs", std::int64_t{1}},
                               {"train.batch", std::int64_t{1000}},
                               {"train.out", path}};
  CHECK_THROWS_WITH(train(one_step, far, Registry()), Contains("weights after 1 steps") && Contains("train.lr"));
  const Network kept = load_network(path);
  for (const float w : kept.parameters()) CHECK(std::isfinite(w));
}

TEST_CASE("a net without hidden layers is trained by every rule, and all of them are then back-propagation") {
  const auto sha = [](const char* rule) {
    return run(small({{"train.net", "20-5"}, {"train.rule", rule}})).weights_sha256;
  };
  const std::string bp = sha("bp");
  for (const char* rule : {"fa", "dfa", "tdfa", "sdfa", "drtp"}) CHECK(sha(rule) == bp);
}
