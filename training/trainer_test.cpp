#include "training/trainer.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <numeric>

#include "core/error.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/evaluate.hpp"
#include "training/resume.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"

using namespace lightloop;

namespace {

TrainSettings small(const std::string& rule, const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", "20-32-24-5"},
                  {"train.rule", rule},
                  {"train.epochs", std::int64_t{6}},
                  {"train.lr", 5e-3},
                  {"train.batch", std::int64_t{32}}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), Registry(), observer);
}

std::string message(const TrainSettings& s) {
  try {
    run(s);
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("alignment is 1 for back-propagation and clearly positive for DFA") {
  for (const double a : run(small("bp")).alignment) CHECK(a == Approx(1).margin(1e-6));
  const TrainResult dfa = run(small("dfa", {{"train.alignment_every", std::int64_t{1}}}));
  for (const double a : dfa.alignment) CHECK(a > 0.2);
}

TEST_CASE("SGD and momentum learn with the normalised feedback") {
  for (const char* rule : {"bp", "dfa", "tdfa"})
    for (const char* optimizer : {"sgd", "momentum"}) {
      const double lr = optimizer == std::string("sgd") ? 0.2 : 0.02;
      INFO(rule << " " << optimizer);
      CHECK(run(small(rule, {{"train.optimizer", optimizer}, {"train.lr", lr}})).test_accuracy > 0.95);
    }
}

TEST_CASE("the same settings give the same weights with 1 and 2 threads, another seed others") {
  const auto one = run(small("tdfa", {{"train.threads", std::int64_t{1}}})).weights_sha256;
  CHECK(run(small("tdfa", {{"train.threads", std::int64_t{2}}})).weights_sha256 == one);
  CHECK(run(small("tdfa", {{"train.seed", std::int64_t{2}}})).weights_sha256 != one);
}

TEST_CASE("how often alignment is measured or a checkpoint written does not change the weights") {
  const TemporaryFolder folder;
  const auto plain = run(small("tdfa")).weights_sha256;
  CHECK(run(small("tdfa", {{"train.alignment_every", std::int64_t{0}}})).weights_sha256 == plain);
  CHECK(run(small("tdfa", {{"train.out", folder / "r.h5"}, {"train.checkpoint_every", std::int64_t{7}}}))
            .weights_sha256 == plain);
}

TEST_CASE("a run file gives back settings, curves and weights") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainResult result = run(small("tdfa", {{"train.out", path}, {"rule.dead_zone", 0.2}}));
  const RunFile file = load_run(path);
  CHECK(file.complete);
  CHECK(weights_sha256(file.net) == result.weights_sha256);
  CHECK(file.train.real("lr") == 5e-3);
  CHECK(file.train.infos().size() == train_params().size());
  CHECK(file.rule.real("dead_zone") == 0.2);
  REQUIRE(file.epochs.size() == 6);
  CHECK(file.epochs[3].test_accuracy == result.epochs[3].test_accuracy);
  CHECK(file.epochs[3].alignment == result.epochs[3].alignment);
  CHECK(file.epochs[3].weight_alignment.size() == 2);
  CHECK(file.epochs[3].weight_alignment == result.epochs[3].weight_alignment);
  CHECK(file.step_loss.size() == 6 * 32);
  CHECK(evaluate(load_network(path), cluster_task().test).accuracy == result.test_accuracy);
  CHECK(folder.files() == 1);
}

TEST_CASE("a run stopped anywhere and resumed ends with the weights and curves of one that never stopped") {
  for (const char* optimizer : {"adam", "momentum", "sgd"}) {
    const TemporaryFolder folder;
    const TrainSettings settings = small(
        "tdfa", {{"train.optimizer", optimizer}, {"rule.noise", 0.5}, {"train.alignment_every", std::int64_t{3}}});
    const TrainResult whole = run(settings);
    TrainSettings part = settings;
    const std::string path = folder / "run.h5";
    part["train.out"] = path;
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps % 45 == 0; };  // mid-epoch: 32 steps make one
    TrainResult result = run(part, stopping);
    int parts = 1;
    while (result.interrupted) {
      REQUIRE(parts++ < 10);
      result = run({{"train.resume", path}, {"train.threads", std::int64_t{parts % 2 + 1}}}, stopping);
    }
    CHECK(parts == 5);
    CHECK(result.weights_sha256 == whole.weights_sha256);
    REQUIRE(result.epochs.size() == whole.epochs.size());
    for (std::size_t i = 0; i < whole.epochs.size(); ++i) {
      CHECK(result.epochs[i].train_loss == whole.epochs[i].train_loss);
      CHECK(result.epochs[i].test_accuracy == whole.epochs[i].test_accuracy);
      CHECK(result.epochs[i].alignment == whole.epochs[i].alignment);
      CHECK(result.epochs[i].weight_alignment == whole.epochs[i].weight_alignment);
      CHECK(result.epochs[i].gradient_alignment == whole.epochs[i].gradient_alignment);
    }
  }
}

TEST_CASE("a run of PEPITA begun before rule.shows was a setting goes on showing whole inputs") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 2; };
  run(small("pepita", {{"train.out", path}}), stopping);
  RunFile stored = load_run(path);
  CHECK(resumed_config({}, stored).rule.text("shows") == "auto");
  std::vector<ParamInfo> older = stored.rule.infos();
  std::erase_if(older, [](const ParamInfo& info) { return info.name == "shows"; });
  REQUIRE(older.size() + 1 == stored.rule.infos().size());
  stored.rule = ParamSet("rule", older);
  CHECK(resumed_config({}, stored).rule.text("shows") == "input");
  CHECK(resumed_config({{"rule.shows", "input"}}, stored).rule.text("shows") == "input");
  CHECK_THROWS_AS(resumed_config({{"rule.shows", "change"}}, stored), InvalidParameter);
}

TEST_CASE("a run begun when settings without effect were taken goes on") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 2; };
  run(small("bp", {{"train.net", "dense 9, tanh | dense classes"}, {"train.out", path}}), stopping);
  RunFile stored = load_run(path);
  stored.train.set({{"activation", "relu"}, {"momentum", 0.5}, {"step_factor", 0.5}});
  CHECK(resumed_config({}, stored).train.is_default("momentum"));
  CHECK_THROWS_WITH(resumed_config({{"train.momentum", 0.5}}, stored), Catch::Contains("train.momentum"));
  CHECK(stored_settings(stored).contains("train.beta1"));
  CHECK_FALSE(stored_settings(stored).contains("train.activation"));
}

TEST_CASE("a resume that would change the result is refused naming the setting") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 5; };
  run(small("tdfa", {{"train.out", path}}), stopping);
  CHECK_THAT(message({{"train.resume", path}, {"train.lr", 1e-3}}), Catch::Contains("train.lr"));
  CHECK_THAT(message({{"train.resume", path}, {"rule.dead_zone", 0.3}}), Catch::Contains("rule.dead_zone"));
  CHECK_THAT(message({{"train.resume", path}, {"train.rule", "dfa"}}), Catch::Contains("rule"));
  TrainTest fewer = cluster_task();
  std::vector<std::uint32_t> first(100);
  std::iota(first.begin(), first.end(), 0u);
  fewer.train.floats.resize(100, fewer.train.features());
  cluster_task().train.gather(first, fewer.train.floats);
  fewer.train.labels.resize(100);
  CHECK_THROWS_WITH(train({{"train.resume", path}}, fewer, Registry()), Catch::Contains("data it began with"));
  TrainTest others = cluster_task();
  std::swap(others.train.labels.front(), others.train.labels.back());
  CHECK(others.train.labels != cluster_task().train.labels);
  CHECK_THROWS_WITH(train({{"train.resume", path}}, others, Registry()), Catch::Contains("SHA-256"));
  CHECK_THAT(message({{"train.resume", folder / "no.h5"}}), Catch::Contains("no.h5"));
  CHECK_THAT(message({{"train.resume", true}}), Catch::Contains("train.out"));
  CHECK(message({{"train.resume", path}, {"train.lr", 5e-3}}) == "nothing was thrown");
  CHECK_THAT(message({{"train.resume", path}}), Catch::Contains("complete"));
}

TEST_CASE("init_from takes the weights of a run, those of the same rule's own layers too, and nothing else") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainResult first = run(small("bp", {{"train.out", path}}));
  const TrainResult second =
      run(small("bp", {{"train.init_from", path}, {"train.epochs", std::int64_t{1}}, {"train.lr", 0.0}}));
  CHECK(second.weights_sha256 == first.weights_sha256);
  const auto again = [&](const char* rule, const std::string& from) {
    return run(small(rule, {{"train.init_from", from}, {"train.epochs", std::int64_t{1}}, {"train.lr", 0.0}}));
  };
  const std::string heads = folder / "heads.h5";
  const TrainResult local = run(small("ccl", {{"train.out", heads}}));  // whose feedback net is its own
  CHECK(again("ccl", heads).weights_sha256 == local.weights_sha256);
  const std::vector<std::string> warned = again("ccl", path).warnings;
  CHECK(std::ranges::any_of(warned, [](const std::string& text) { return text.find("begin anew") != text.npos; }));
  CHECK(again("ccl", heads).warnings.empty());
  CHECK_THAT(message(small("sff", {{"train.loss", std::string("mse")}})), Catch::Contains("train.loss"));
  CHECK_THAT(message(small("bp", {{"train.init_from", path}, {"train.net", "20-30-5"}})), Catch::Contains("init_from"));
}

TEST_CASE("the plan is shown before anything happens, and can stop it") {
  const TemporaryFolder folder;
  TrainPlan seen;
  int epochs = 0;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& plan) {
    seen = plan;
    return false;
  };
  observer.on_epoch = [&](const EpochResult&) { ++epochs; };
  const TrainResult result = run(small("tdfa", {{"train.out", folder / "run.h5"}}), observer);
  CHECK(seen.steps == 6 * 32);
  CHECK(seen.widths == std::vector<Index>{20, 32, 24, 5});
  CHECK(seen.device == "digital");
  CHECK(result.interrupted);
  CHECK(epochs == 0);
  CHECK(folder.files() == 0);
  CHECK(run(small("tdfa", {{"train.dry_run", true}})).epochs.empty());
}

TEST_CASE("baselines are the same run without the device, one per rule") {
  const auto runs = baselines({{"train.baseline", "bp,dfa"},
                               {"train.rule", "tdfa"},
                               {"train.device", "sim:opu"},
                               {"rule.dead_zone", 0.2},
                               {"rule.noise", 0.5},
                               {"train.encoding", "ternary"},
                               {"train.lr", 0.1},
                               {"device.camera.bits", std::int64_t{8}},
                               {"train.out", "x.h5"}});
  REQUIRE(runs.size() == 2);
  CHECK(runs[0] == TrainSettings{{"train.rule", "bp"}, {"train.lr", 0.1}});
  CHECK(runs[1] == TrainSettings{{"train.rule", "dfa"}, {"train.lr", 0.1}, {"rule.noise", 0.5}});
}

TEST_CASE("wrong settings are refused before anything is opened, naming setting, value and remedy") {
  const TemporaryFolder folder;
  const struct {
    TrainSettings settings;
    std::vector<const char*> says;
  } table[] = {
      {{{"train.lrr", 0.1}}, {"lrr", "\"lr\""}},
      {{{"lr", 0.1}}, {"lr", "train.lr"}},
      {{{"trian.lr", 0.1}}, {"trian.lr", "train.lr"}},
      {{{"train.lr", -1.0}}, {"lr", "-1"}},
      {{{"train.lr", std::string("fast")}}, {"lr", "fast"}},
      {{{"train.epochs", 1.5}}, {"epochs", "1.5"}},
      {{{"train.batch", std::int64_t{0}}}, {"batch", "0"}},
      {{{"train.rule", "dfaa"}}, {"dfaa", "dfa"}},
      {{{"train.activation", "tahn"}}, {"tahn", "tanh"}},
      {{{"train.optimizer", "rmsprop"}}, {"rmsprop", "adam"}},
      {{{"train.momentum", 0.8}}, {"train.momentum", "0.8", "train.optimizer=momentum"}},
      {{{"train.optimizer", "sgd"}, {"train.beta1", 0.1}}, {"train.beta1", "train.optimizer=adam", "leave it out"}},
      {{{"train.step_epochs", std::int64_t{3}}}, {"train.step_epochs", "train.schedule=step"}},
      {{{"train.net", "dense 9 | dense classes"}, {"train.activation", "relu"}},
       {"train.activation", "relu", "the net says"}},
      {{{"train.net", "20-x-5"}}, {"20-x-5", "784-1024-1024-10"}},
      {{{"train.net", "21-32-5"}}, {"21", "20 features"}},
      {{{"train.net", "20-32-4"}}, {"4 outputs", "5 classes"}},
      {{{"train.net", folder / "none.toml"}}, {"none.toml"}},
      {{{"rule.deadzone", 0.1}}, {"deadzone", "dead_zone"}},
      {{{"rule.dead_zone", 2.0}}, {"dead_zone", "2"}},
      {{{"projection.readout", "anchor"}}, {"projection.readout", "train.device"}},
      {{{"train.readout", "anchor"}}, {"projection.readout", "train.device"}},
      {{{"device.camera.bits", std::int64_t{8}}}, {"device.camera.bits", "train.device"}},
      {{{"train.device", "sim:oups"}}, {"oups"}},
      {{{"train.device", "nonsense"}}, {"nonsense"}},
      {{{"train.device", "sim:opu"}, {"train.rule", "bp"}}, {"bp", "digital"}},
      {{{"train.device", "sim:opu"}, {"train.readout", "anchor"}, {"projection.readout", "phase4"}},
       {"readout", "phase4"}},
      {{{"train.device", "sim:opu"}, {"rule.matrix_from", "sim:opu"}}, {"matrix_from"}},
      {{{"train.device", "sim:opu"}, {"projection.dead_zone", 0.3}}, {"projection.dead_zone", "rule.dead_zone", "0.3"}},
      {{{"train.device", "sim:opu"}, {"train.encoding", "threshold"}}, {"threshold", "both signs", "ternary"}},
      {{{"train.device", "sim:opu"}, {"train.readout", "intensity"}}, {"projection.readout", "intensity", "anchor"}},
      {{{"train.fidelity", true}}, {"train.fidelity", "train.device"}},
      {{{"train.fidelity", true}, {"train.rule", "bp"}}, {"train.fidelity", "train.device"}},
      {{{"train.baseline", "bp,foo"}}, {"foo"}},
      {{{"train.baseline", "bp,,dfa"}}, {"bp,,dfa", "comma"}},
      {{{"train.baseline", "bp,"}}, {"bp,", "comma"}},
      {{{"train.init_from", folder / "none.h5"}}, {"none.h5"}},
      {{{"train.out", folder / "no/such/run.h5"}}, {"run.h5"}},
  };
  for (const auto& row : table) {
    TrainSettings s = small("tdfa");
    for (const auto& [key, value] : row.settings) s[key] = value;
    const std::string said = message(s);
    for (const char* word : row.says) CHECK_THAT(said, Catch::Contains(word));
  }
  CHECK(folder.files() == 0);
}

TEST_CASE("data from a caller is checked") {
  TrainTest label = cluster_task();
  label.train.labels[7] = 5;
  CHECK_THROWS_AS(train(small("bp"), label, Registry()), OutOfRange);
  TrainTest nan = cluster_task();
  nan.test.floats(3, 4) = NAN;
  CHECK_THROWS_AS(train(small("bp"), nan, Registry()), InvalidParameter);
  TrainTest few = cluster_task();
  few.train.labels.pop_back();
  CHECK_THROWS_AS(train(small("bp"), few, Registry()), ShapeMismatch);
}

TEST_CASE("a loss that is no longer finite stops the run with the remedy") {
  CHECK_THAT(
      message(small(
          "bp",
          {{"train.optimizer", "sgd"}, {"train.lr", 1000.0}, {"train.loss", "mse"}, {"train.activation", "identity"}})),
      Catch::Contains("train.lr"));
}

TEST_CASE("a net may come from a TOML file") {
  const TemporaryFolder folder;
  const std::string path = folder / "net.toml";
  std::ofstream(path) << "net = \"20-16-5\"\nactivation = \"relu\"\n";
  const TrainResult result = run(small("bp", {{"train.net", path}}));
  CHECK(result.net.widths() == std::vector<Index>{20, 16, 5});
  CHECK(result.net.hidden_activation() == Activation::relu);
  for (const char* net : {"\n20-16-5\n", "\r\n  dense 9, tanh\r\n  | dense classes\n", "\n20 | mlp:16x1\n"}) {
    INFO(net);
    std::ofstream(path) << "net = \"\"\"\n" << net << "\"\"\"\n";
    const TrainResult given = run(small("bp", {{"train.net", net}, {"train.epochs", std::int64_t{1}}}));
    CHECK(given.net.layers() == 2);
    CHECK(run(small("bp", {{"train.net", path}, {"train.epochs", std::int64_t{1}}})).net.text() == given.net.text());
  }
}

TEST_CASE("damaged and foreign run files are refused naming the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  std::ofstream(path) << "this is no HDF5";
  CHECK_THROWS_AS(load_run(path), FileError);
  CHECK_THROWS_AS(load_network(folder / "none.h5"), FileError);
}
