// Networks on graphs as runs: rules, masks, run files, resume.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "training/citations_for_tests.hpp"
#include "training/evaluate.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

TrainSettings settings(const std::string& rule) {
  return {{"train.rule", rule},
          {"train.net", std::string("gcn 16, relu, dropout 0.2 | gcn classes")},
          {"train.lr", 0.03},
          {"train.epochs", std::int64_t{30}},
          {"train.weight_decay", 1e-4}};
}

const Registry kNone;

}  // namespace

TEST_CASE("a few labels teach a graph network the others, by every rule that heeds the mask") {
  for (const char* rule :
       {"bp", "dfa", "tdfa", "forwardgnn", "fa", "sign_symmetric", "local", "sff", "lls", "ccl", "auglocal"}) {
    INFO(rule);
    const TrainResult run = train(settings(rule), citations(), kNone);
    CHECK(run.test_accuracy > 0.8);  // chance: 1/3
    CHECK(run.epochs.back().validation_accuracy > 0.6);
    const std::int64_t shown = run.epochs.back().touch.projections;
    CHECK((rule[0] == 'd' ? shown == 30 * 12 : shown <= 30 * 12));  // nobody else has an error
    const EpochResult& first = run.epochs.front();
    const bool projects = shown > 0;
    CHECK(first.active_fraction == (projects ? double(first.touch.projections) / 12 : 1.0));
    if (rule == std::string("forwardgnn")) CHECK(first.layer_loss.back() == Approx(first.train_loss));
  }
  CHECK_THROWS_WITH(train(settings("noprop"), citations(), kNone),
                    Catch::Contains("noprop") && Catch::Contains("use bp, ") && Catch::Contains(", forwardgnn"));
}

TEST_CASE("rules with passes of their own are compared on a graph only if asked: that holds all layers of all nodes") {
  for (const char* rule : {"bp", "local"}) {
    TrainSettings s = settings(rule);
    s["train.epochs"] = std::int64_t{1};
    INFO(rule);
    const bool free = rule == std::string("bp");
    CHECK(std::isnan(train(s, citations(), kNone).epochs[0].gradient_alignment.at(0)) != free);
    s["train.alignment_every"] = std::int64_t{1};
    CHECK(std::isfinite(train(s, citations(), kNone).epochs[0].gradient_alignment.at(0)));
  }
}

TEST_CASE("labels outside the mask have no influence on what is learned") {
  for (const char* rule :
       {"bp", "drtp", "forwardgnn", "spsa", "fa", "sign_symmetric", "local", "sff", "lls", "ccl", "auglocal"}) {
    TrainTest data = citations(), other = data;
    for (std::size_t i = 12; i < std::size_t(kNodes); ++i)
      other.train.labels[i] = std::uint8_t(2 - other.train.labels[i]);
    INFO(rule);
    CHECK(train(settings(rule), data, kNone).weights_sha256 == train(settings(rule), other, kNone).weights_sha256);
  }
}

TEST_CASE("ForwardGNN learns the running statistics of batch norm") {
  TrainSettings asked = settings("forwardgnn");
  asked["train.net"] = std::string("gcn 16, batch_norm, relu | gcn classes");
  const TrainResult run = train(asked, citations(), kNone);
  const std::span<const float> state = run.net.state();
  REQUIRE(state.size() == 32);
  CHECK(std::ranges::none_of(state, [](float v) { return v == 0 || v == 1; }));  // drawn with means 0, variances 1
  CHECK(run.test_accuracy > 0.8);
}

TEST_CASE("a run on a graph that is stopped goes on to the same bits, and its file knows the graph") {
  for (const char* rule : {"dfa", "forwardgnn"}) {
    const test::TemporaryFolder folder;
    TrainSettings asked = settings(rule);
    const std::string whole = train(asked, citations(), kNone).weights_sha256;
    asked["train.out"] = folder / "run.h5";
    TrainObserver observer;
    int steps = 0;
    observer.stop = [&steps] { return ++steps == 7; };
    CHECK(train(asked, citations(), kNone, observer).interrupted);
    const TrainResult rest = train({{"train.resume", folder / "run.h5"}}, citations(), kNone);
    INFO(rule);
    CHECK(rest.weights_sha256 == whole);
    const RunFile file = load_run(folder / "run.h5");
    REQUIRE(file.net.model());
    CHECK(file.net.model()->graph()->neighbour == citations().train.graph->neighbour);
    const auto answers = answering_rule(file.net, rule, file.rule.all(), 1, file.own.flat());
    CHECK(evaluate(file.net, citations().test, Loss::cross_entropy, answers.get()).accuracy == rest.test_accuracy);
    TrainTest fewer = citations();
    fewer.test.graph = nullptr;
    CHECK_THROWS_AS(evaluate(file.net, fewer.test), ShapeMismatch);
  }
}

TEST_CASE("DFA on a graph sends A^T B e to the hidden layer, as a slow sum in double precision says") {
  const TrainTest data = citations();
  const ModelContext context{{kWords}, kGroups, data.train.graph};
  Network net(parse_model("gcn 8, relu | gcn classes", context));
  net.initialise(3);
  MatrixFeedback feedback(kGroups, 8);
  Matrix<float> x(kNodes, kWords), error(kNodes, kGroups), gradient(1, Index(net.parameters().size()));
  std::vector<std::uint32_t> which(static_cast<std::size_t>(kNodes));
  for (std::size_t i = 0; i < which.size(); ++i) which[i] = std::uint32_t(i);
  data.train.gather(which, x);
  Activations activations;
  forward(net, x, activations, {.training = true});
  output_error(Loss::cross_entropy, activations.h.back(), data.train.labels, error, data.train.counts);
  for (const bool along : {true, false}) {
    const RuleModel& model = rule("dfa");
    ParamSet params("rule", model.info.params);
    params.set({{"along_graph", along}});
    const auto made = model.make({net, 1, params, &feedback});
    made->gradient(
        net, {.activations = activations, .error = error, .labels = data.train.labels, .counts = data.train.counts},
        gradient.flat());
    const Graph smooth = normalised(*data.train.graph);
    double worst = 0, largest = 0;
    for (Index i = 0; i < kNodes; ++i)
      for (Index j = 0; j < 8; ++j) {
        double wanted = 0;
        for (Index k = 0; k < kNodes; ++k) {
          double a = !along && k == i ? 1 : 0;  // A(k, i): what node k hears of node i
          for (Index p = smooth.begin[std::size_t(k)]; along && p < smooth.begin[std::size_t(k) + 1]; ++p)
            if (smooth.neighbour[std::size_t(p)] == i) a = double(smooth.weight[std::size_t(p)]);
          for (Index c = 0; c < kGroups; ++c)
            wanted += a * double(feedback.matrix()(j, c)) * double(error(k, c)) / std::sqrt(8.0);
        }
        worst = std::max(worst, std::fabs(wanted - double(made->teaching_signal(0)(i, j))));
        largest = std::max(largest, std::fabs(wanted));
      }
    CHECK(largest > 0.1);
    CHECK(worst < 1e-6);
  }
  CHECK(feedback.rows_projected == 24);
}

TEST_CASE(
    "gradients of rules with local losses on a graph are those of the means over labelled nodes, by differences") {
  const TrainTest data = citations();
  const ModelContext context{{kWords}, kGroups, data.train.graph};
  const std::pair<std::string, Settings> rules[] = {{"forwardgnn", {{"temperature", 0.2}}},
                                                    {"local", {}},
                                                    {"sff", {}},
                                                    {"lls", {{"smoothing", 0.0}, {"mixing", "matrix"}}},
                                                    {"ccl", {{"clip", 0.0}}},
                                                    {"auglocal", {}}};
  for (const auto& [name, given] : rules) {
    INFO(name);
    Network net(parse_model("gcn 6, tanh | gcn 5, tanh | gcn classes", context));
    net.initialise(3);
    const RuleModel& model = rule(name);
    ParamSet params("rule", model.info.params);
    params.set(given);
    const auto made = model.make({net, 1, params, nullptr});
    Activations activations;
    activations.h.resize(1);
    activations.h[0].resize(kNodes, kWords);
    std::vector<std::uint32_t> which(static_cast<std::size_t>(kNodes));
    for (std::size_t i = 0; i < which.size(); ++i) which[i] = std::uint32_t(i);
    data.train.gather(which, activations.h[0]);
    const RuleBatch batch{
        .activations = activations, .error = {}, .labels = data.train.labels, .counts = data.train.counts};
    std::vector<float> gradient(net.parameters().size()), other(gradient.size());
    made->gradient(net, batch, gradient);
    const std::vector<float> own(made->own().gradient.begin(), made->own().gradient.end());
    const auto check = [&](float& value, float found, std::size_t loss_of) {
      constexpr float kStep = 1e-2f;
      const float here = value;
      double loss[2];
      for (const int side : {0, 1}) {
        value = here + (side ? kStep : -kStep);
        made->gradient(net, batch, other);
        loss[side] = made->layer_loss()[loss_of];
      }
      value = here;
      CHECK(double(found) == Approx((loss[1] - loss[0]) / (2 * double(kStep))).margin(2e-4).epsilon(0.02));
    };
    for (const Index b : {Index{0}, Index{1}, Index{2}})
      for (const Index k : {Index{0}, Index{3}, Index{7}}) {
        const auto at = static_cast<std::size_t>(net.offset(b) + k);
        // AugLocal's last hidden block and the output share a loss
        check(net.parameters()[at], gradient[at], std::size_t(name == "auglocal" ? std::min(b, Index{1}) : b));
      }
    if (name != "forwardgnn")  // whose own numbers are labels
      for (const std::size_t k : {0u, 2u, 5u}) check(made->own().values[k], own[k], 0);
  }
}

TEST_CASE("on a graph without labels to leave out, a mask of ones changes no bit") {
  TrainTest data = citations();
  const Network net(parse_model("gcn 6, tanh | gcn classes", {{kWords}, kGroups, data.train.graph}));
  Network drawn = net;
  drawn.initialise(3);
  Activations activations;
  activations.h.resize(1);
  activations.h[0].resize(kNodes, kWords);
  std::vector<std::uint32_t> which(static_cast<std::size_t>(kNodes));
  for (std::size_t i = 0; i < which.size(); ++i) which[i] = std::uint32_t(i);
  data.train.gather(which, activations.h[0]);
  const std::vector<std::uint8_t> ones(which.size(), 1);
  for (const char* name : {"local", "sff", "lls", "ccl", "auglocal"}) {
    INFO(name);
    std::vector<float> g[2];
    for (const bool masked : {false, true}) {
      const RuleModel& model = rule(name);
      const auto made = model.make({drawn, 1, ParamSet("rule", model.info.params), nullptr});
      RuleBatch batch{.activations = activations, .error = {}, .labels = data.train.labels};
      if (masked) batch.counts = ones;
      g[masked].resize(drawn.parameters().size());
      made->gradient(drawn, batch, g[masked]);
    }
    CHECK(g[0] == g[1]);
  }
}
