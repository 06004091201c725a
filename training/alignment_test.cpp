// Alignment with back-propagation: of teaching signals and of the gradients of the weights.
#include "training/alignment.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/rules/chain.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

struct Means {
  std::vector<double> signals, gradients;
};

Means measured(Bench& bench, Rule& rule) {
  const std::vector<float> gradient = bench.gradient(rule);
  Alignment alignment;
  AlignmentSums signals, gradients;
  alignment.begin(bench.net, {bench.activations, bench.error, bench.labels});
  alignment.compare(bench.net, rule, gradient, signals, gradients);
  return {signals.means(), gradients.means()};
}

TrainResult run(const TrainSettings& more) {
  TrainSettings s{{"train.net", "20-32-24-5"},
                  {"train.epochs", std::int64_t{2}},
                  {"train.batch", std::int64_t{32}},
                  {"train.alignment_every", std::int64_t{4}}};
  for (const auto& [key, value] : more) s[key] = value;
  return train(s, cluster_task(), Registry(), {});
}

}  // namespace

TEST_CASE("feedback turned by an angle has the cosine of that angle in the layer below it, and 1 above") {
  // Linear layers of 9-24-5 with W cos(t) + W J sin(t) in place of W, J a quarter turn of pairs of hidden units:
  // signals and gradient below are J^T of the exact ones there, orthogonal to these and as long.
  for (const double angle : {0.0, 0.4, 1.2, 2.5}) {
    Bench bench(Network({9, 24, 5}, Activation::identity));
    const auto path = std::make_shared<ReturnPath>(bench.net);
    REQUIRE(path->places().size() == 1);
    const View<const float> w = std::as_const(bench.net).weights(1);
    for (Index c = 0; c < 5; ++c)
      for (Index j = 0; j < 24; ++j) {
        const double turned = (j % 2 == 0 ? 1 : -1) * double(w(c, j ^ 1));
        path->matrix(0)(c, j) = float(std::cos(angle) * double(w(c, j)) + std::sin(angle) * turned);
      }
    const auto [signals, gradients] = measured(bench, *chain_rule(rule("fa").info, path));
    INFO(angle);
    REQUIRE(signals.size() == 1);
    CHECK(signals[0] == Approx(std::cos(angle)).margin(1e-6));
    REQUIRE(gradients.size() == 2);
    CHECK(gradients[0] == Approx(std::cos(angle)).margin(1e-6));
    CHECK(gradients[1] == Approx(1).margin(1e-6));
  }
}

TEST_CASE("the gradient of back-propagation has cosine 1 in every layer and every block") {
  for (const char* net : {"20-32-24-5", "dense 32, relu | layer_norm, dense 24, tanh | dense classes"}) {
    const TrainResult result = run({{"train.net", net}, {"train.rule", "bp"}, {"train.weight_decay", 0.1}});
    REQUIRE(result.epochs.back().gradient_alignment.size() == 3);
    for (const double a : result.epochs.back().gradient_alignment) CHECK(a == Approx(1).margin(1e-6));
  }
  const TrainResult images =
      train({{"train.net", "conv 4 3, batch_norm, relu, dropout 0.2 | max_pool 2 | flatten, dense classes"},
             {"train.rule", "bp"},
             {"train.epochs", std::int64_t{1}},
             {"train.alignment_every", std::int64_t{1}}},
            make_digits(1, 64, 16), Registry(), {});
  const std::vector<double>& cosines = images.epochs.back().gradient_alignment;
  REQUIRE(cosines.size() == 3);
  CHECK(cosines[0] == Approx(1).margin(1e-6));
  CHECK(std::isnan(cosines[1]));  // a pool has no parameters
  CHECK(cosines[2] == Approx(1).margin(1e-6));
}

TEST_CASE("every rule that moves the weights of the net has a gradient alignment, and measuring it changes nothing") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    TrainSettings settings{{"train.rule", model.info.name}};
    if (model.info.name == "pepg") settings["rule.pairs"] = std::int64_t{4};
    if (model.info.name == "noprop") settings["rule.blocks"] = std::int64_t{3};
    const TrainResult result = run(settings);
    INFO(model.info.name);
    const std::vector<double>& cosines = result.epochs.back().gradient_alignment;
    REQUIRE(cosines.size() == 3);
    Index measured = 0;
    for (const double a : cosines) {
      if (std::isnan(a)) continue;
      ++measured;
      CHECK(std::fabs(a) < 1 + 1e-6);
    }
    CHECK((measured > 0) != model.info.keeps_net);
    settings["train.alignment_every"] = std::int64_t{0};
    const TrainResult without = run(settings);
    CHECK(without.weights_sha256 == result.weights_sha256);
    for (const double a : without.epochs.back().gradient_alignment) CHECK(std::isnan(a));
  }
}

TEST_CASE("the step of SPSA has the cosine of a direction of +-1") {
  // One layer of P = 105 parameters: |<z, g>| / (sqrt(P) |g|), with <z, g> / |g| near N(0, 1): mean sqrt(2 / pi P), sd
  // sqrt((1 - 2 / pi) / P). 64 steps, seed 1, two-sided, alpha 1e-4.
  const TrainResult result =
      run({{"train.net", "20-5"}, {"train.rule", "spsa"}, {"train.alignment_every", std::int64_t{1}}});
  double mean = 0;
  for (const EpochResult& epoch : result.epochs) mean += epoch.gradient_alignment.at(0) / 2;
  const double pi = std::numbers::pi;
  CHECK(std::fabs(mean - std::sqrt(2 / (pi * 105))) < 3.9 * std::sqrt((1 - 2 / pi) / 105 / 64));
  CHECK(result.epochs[0].alignment.empty());
}

TEST_CASE("the exact gradient of a batch is the sum of its pieces, of layers and of blocks") {
  for (Network net : {Network({9, 24, 17, 5}, Activation::tanh),
                      Network(parse_model("9 | dense 24, tanh, layer_norm | dense 17, relu | dense 5", {}))}) {
    Bench bench(std::move(net));
    const auto rule = bench.make("local", nullptr);
    const std::vector<float> gradient = bench.gradient(*rule);
    const auto exact = [&](Index at_once) {
      Alignment alignment;
      AlignmentSums signals, gradients;
      Activations seen;
      for (Index first = 0; first < 12; first += at_once) {
        const Index count = std::min(at_once, 12 - first);
        forward(bench.net, bench.x.view().rows(first, count), seen);
        const RuleBatch rows{seen, bench.error.view().rows(first, count), {}};
        first == 0 ? alignment.begin(bench.net, rows) : alignment.add_rows(bench.net, rows);
      }
      alignment.compare(bench.net, *rule, gradient, signals, gradients);
      CHECK(signals.counts == std::vector<double>(2, double(at_once)));
      return gradients.means();
    };
    const std::vector<double> whole = exact(12), pieces = exact(5);
    REQUIRE(whole.size() == 3);
    for (std::size_t l = 0; l < 3; ++l) CHECK(pieces[l] == Approx(whole[l]).margin(1e-6));
  }
}

TEST_CASE("a batch of more rows than are compared at once has the gradient of all of them") {
  // the output learns from its error, so its gradient is the exact one: 0.97 if that were of the first 256 rows alone
  for (const char* net : {"20-32-24-5", "dense 32, relu | dense 24, tanh | dense classes"})
    for (const char* name : {"local", "forward_gradient", "node_perturbation"}) {
      const TrainResult result = run({{"train.net", net},
                                      {"train.rule", name},
                                      {"train.batch", std::int64_t{900}},
                                      {"train.epochs", std::int64_t{1}}});
      INFO(name);
      CHECK(result.epochs[0].gradient_alignment.back() == Approx(1).margin(1e-6));
      for (const double a : result.epochs[0].alignment) CHECK((a > -1 && a < 1));
    }
}

TEST_CASE("a run file keeps the gradient alignment, and a resumed run goes on with it") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainSettings settings{{"train.rule", "tdfa"}, {"train.epochs", std::int64_t{3}}};
  const TrainResult whole = run(settings);
  TrainSettings first = settings;
  first["train.out"] = path;
  TrainObserver observer;
  Index steps = 0;
  observer.stop = [&] { return ++steps > 10; };
  TrainSettings all{
      {"train.net", "20-32-24-5"}, {"train.batch", std::int64_t{32}}, {"train.alignment_every", std::int64_t{4}}};
  for (const auto& [key, value] : first) all[key] = value;
  CHECK(train(all, cluster_task(), Registry(), observer).interrupted);
  const TrainResult resumed = train({{"train.resume", path}}, cluster_task(), Registry(), {});
  REQUIRE(resumed.epochs.size() == 3);
  const RunFile stored = load_run(path);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(resumed.epochs[i].gradient_alignment == whole.epochs[i].gradient_alignment);
    CHECK(stored.epochs[i].gradient_alignment == whole.epochs[i].gradient_alignment);
  }
}
