// Rules that teach with a delay, and layers that are updated as soon as their gradient is there.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "training/alignment.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

const char* const kRules[] = {"dfa", "tdfa", "sdfa", "adfa"};
const Settings kDelay{{"delay", std::int64_t{1}}};

/// 12 samples of 9 features, five outputs: rows that know of each other, and dropout.
Network layered() {
  return Network(parse_model("9 | dense 16, batch_norm, tanh | dense 12, tanh, dropout 0.3 | dense 5", {{}, 5}));
}

/// The bench with other samples.
void show_batch(Bench& bench, std::uint64_t number) {
  const Stream stream(50 + number, 0, Purpose::user);
  for (Index r = 0; r < bench.x.rows(); ++r) stream.normal(std::uint64_t(r), 0, bench.x.row(r));
  forward(bench.net, bench.x, bench.activations, {.training = true, .seed = 1, .first_sample = 12 * number});
  output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error);
}

bool same(std::span<const float> a, std::span<const float> b) { return std::ranges::equal(a, b); }

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), Registry(), observer);
}

TrainSettings delayed(const std::string& net, const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", net},
                  {"train.rule", "tdfa"},
                  {"rule.delay", std::int64_t{1}},
                  {"rule.noise", 0.2},
                  {"train.epochs", std::int64_t{6}},
                  {"train.lr", 5e-3},
                  {"train.batch", std::int64_t{48}}};  // 1000 samples: the last batch is smaller
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

const char* const kNets[] = {"20-32-24-5", "dense 32, batch_norm, tanh | dense 24, tanh, dropout 0.2 | dense classes"};

}  // namespace

TEST_CASE("with a delay hidden layers learn what the batch before would have taught them, the output its own batch") {
  for (const char* name : kRules)
    for (const bool layers : {false, true}) {
      if (layers && name == std::string("adfa")) continue;  // for fully connected nets
      INFO(name << (layers ? " layers" : " widths"));
      Bench bench = layers ? Bench(layered()) : Bench();
      MatrixFeedback feedback(5, 24);
      const auto prompt = bench.make(name, &feedback), late = bench.make(name, &feedback, kDelay);
      const auto output = static_cast<std::size_t>(bench.net.offset(bench.net.layers() - 1));
      std::vector<float> before(output, 0.0f);  // the first step teaches them nothing
      for (std::uint64_t batch = 0; batch < 3; ++batch) {
        show_batch(bench, batch);
        const std::vector<float> whole = bench.gradient(*prompt, batch), g = bench.gradient(*late, batch);
        CHECK(same(std::span(g).subspan(output), std::span(whole).subspan(output)));
        CHECK(same(std::span(g).first(output), before));
        before.assign(whole.begin(), whole.begin() + std::ptrdiff_t(output));
      }
    }
}

TEST_CASE("a rule with a delay goes on from its snapshot with the signal that is to come") {
  for (const char* name : {"adfa", "tdfa", "tdfa on layers"}) {
    INFO(name);
    const bool layers = std::string(name).size() > 4;
    Bench bench = layers ? Bench(layered()) : Bench();
    MatrixFeedback feedback(5, 24);
    const std::string rule(name, 4);
    const auto first = bench.make(rule, &feedback, kDelay), second = bench.make(rule, &feedback, kDelay);
    const std::vector<std::byte> fresh = first->snapshot();
    show_batch(bench, 0);
    bench.gradient(*first, 0);
    first->wait();
    const std::vector<std::byte> state = first->snapshot();
    second->restore(state);
    show_batch(bench, 1);
    CHECK(bench.gradient(*first, 1) == bench.gradient(*second, 1));
    first->wait();
    second->wait();
    CHECK(first->snapshot() == second->snapshot());
    second->restore(fresh);
    CHECK(second->snapshot() == fresh);
    for (const std::size_t cut : {std::size_t{9}, state.size() / 2, state.size() - 1})
      CHECK_THROWS_AS(second->restore({state.begin(), state.begin() + std::ptrdiff_t(cut)}), InvalidParameter);
    CHECK(second->snapshot() == fresh);
  }
}

TEST_CASE("a layer whose gradient is told to be done is not looked at again") {
  for (const char* name : {"bp", "fa", "sign_symmetric", "dfa", "tdfa", "sdfa", "drtp", "adfa"})
    for (const bool layers : {false, true}) {
      INFO(name << (layers ? " layers" : " widths"));
      Bench bench = layers ? Bench(layered()) : Bench();
      show_batch(bench, 0);
      MatrixFeedback feedback(5, 24);
      const auto one = bench.make(name, &feedback), other = bench.make(name, &feedback);
      const std::vector<float> whole = bench.gradient(*one);
      std::vector<float> g(whole.size(), NAN), told(whole.size(), NAN);
      Network net = bench.net;
      const LayerDone done = [&](Index l) {
        const Index first = net.offset(l), end = l + 1 < net.layers() ? net.offset(l + 1) : Index(g.size());
        for (auto i = std::size_t(first); i < std::size_t(end); ++i) {
          CHECK(std::isnan(told[i]));  // once
          told[i] = g[i];
          net.parameters()[i] = NAN;
        }
      };
      other->gradient(
          net, {.activations = bench.activations, .error = bench.error, .labels = bench.labels, .done = &done}, g);
      CHECK(g == whole);
      for (std::size_t i = 0; i < g.size(); ++i)
        if (!std::isnan(told[i])) REQUIRE(told[i] == whole[i]);
      const bool goes_back = name[0] != 'a' && !std::string(name).ends_with("dfa") && name != std::string("drtp");
      if (!layers || (name[0] != 'a' && !goes_back))  // these tell it of every layer
        CHECK_FALSE(std::ranges::any_of(told, [](float v) { return std::isnan(v); }));
    }
}

TEST_CASE("layers updated one by one get the bits of all at once, with decay too") {
  for (const char* rule : {"bp", "dfa", "tdfa", "adfa"})
    for (const char* net : kNets)
      for (const char* optimizer : {"adam", "momentum", "sgd"}) {
        INFO(rule << " " << net << " " << optimizer);
        TrainSettings s{{"train.net", net}, {"train.rule", rule},           {"train.epochs", std::int64_t{1}},
                        {"train.lr", 5e-3}, {"train.optimizer", optimizer}, {"train.weight_decay", 1e-3}};
        s["train.alignment_every"] = std::int64_t{0};
        const auto early = run(s).weights_sha256;
        s["train.alignment_every"] = std::int64_t{1};  // which looks at the weights of the step
        CHECK(run(s).weights_sha256 == early);
      }
}

TEST_CASE("with a delay signals are compared on the batch that they belong to") {
  /// B = W_2^T: with one hidden layer DFA is back-propagation then.
  class Transposed : public MatrixFeedback {
   public:
    explicit Transposed(const Network& net) : MatrixFeedback(5, 24), net_(net) {}
    void project(View<const float> e, View<float> out) override {
      const View<const float> w = net_.weights(1);
      for (Index r = 0; r < e.rows(); ++r)
        for (Index j = 0; j < 24; ++j) {
          out(r, j) = 0;
          for (Index c = 0; c < 5; ++c) out(r, j) += w(c, j) * e(r, c);
        }
    }

   private:
    const Network& net_;
  };
  for (const char* name : {"dfa", "adfa"}) {
    INFO(name);
    Bench bench(Network({9, 24, 5}, Activation::tanh));
    Transposed feedback(bench.net);
    Settings settings = kDelay;
    if (name[0] == 'a') settings["gate"] = std::string("sech2");  // tanh'
    const auto rule = bench.make(name, &feedback, settings);
    Alignment alignment;
    AlignmentSums signals, gradients;
    for (std::uint64_t batch = 0; batch < 3; ++batch) {
      show_batch(bench, batch);
      const std::vector<float> g = bench.gradient(*rule, batch);
      const std::optional<EarlierBatch> taught = rule->taught();
      REQUIRE(taught);
      CHECK((taught->activations == nullptr) == (batch == 0));
      if (batch == 0) continue;
      alignment.begin(bench.net, {.activations = *taught->activations, .error = taught->error, .labels = bench.labels});
      alignment.compare(bench.net, *rule, g, signals, gradients);
    }
    CHECK(signals.counts[0] == 24);
    CHECK(signals.means()[0] == Approx(1));
    CHECK(gradients.means()[0] == Approx(1));
    CHECK(std::isnan(gradients.means()[1]));
  }
}

TEST_CASE("with a delay a task is learned, and a run stopped anywhere ends with the same bits on any threads") {
  for (const char* net : kNets) {
    INFO(net);
    const TrainSettings settings = delayed(net, {{"train.alignment_every", std::int64_t{3}}});
    const TrainResult whole = run(settings);
    const TrainResult prompt = run(delayed(net, {{"rule.delay", std::int64_t{0}}}));
    CHECK(prompt.weights_sha256 != whole.weights_sha256);
    CHECK(whole.test_accuracy > prompt.test_accuracy - 0.03);
    CHECK(whole.test_accuracy > 0.9);  // chance is 0.2
    CHECK(std::isnan(whole.epochs.back().gradient_alignment.back()));
    CHECK(run(delayed(net, {{"train.alignment_every", std::int64_t{0}}})).weights_sha256 == whole.weights_sha256);
    const TemporaryFolder folder;
    TrainSettings part = settings;
    part["train.out"] = folder / "run.h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps % 17 == 0; };  // 21 steps make an epoch
    TrainResult result = run(part, stopping);
    for (int parts = 1; result.interrupted; ++parts) {
      REQUIRE(parts < 10);
      result = run({{"train.resume", folder / "run.h5"}, {"train.threads", std::int64_t{parts % 2 + 1}}}, stopping);
    }
    CHECK(result.weights_sha256 == whole.weights_sha256);
    REQUIRE(result.epochs.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(result.epochs[i].train_loss == whole.epochs[i].train_loss);
      CHECK(result.epochs[i].alignment == whole.epochs[i].alignment);
      CHECK(std::isnan(result.epochs[i].waited_s));  // no device
    }
  }
}
