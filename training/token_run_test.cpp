// Answers per token and real targets: what is not one label per sample.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/random.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "training/coin_text_for_tests.hpp"
#include "training/datasets/generated.hpp"
#include "training/datasets/readers.hpp"
#include "training/evaluate.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/model.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

const Registry kNoDevices;

TrainSettings settings(const std::string& rule, const TrainSettings& more = {}) {
  TrainSettings s{{"train.rule", rule},
                  {"train.net", std::string("char-transformer:16x1")},
                  {"train.lr", 0.01},
                  {"train.batch", std::int64_t{16}},
                  {"train.epochs", std::int64_t{15}}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

/// Five tokens of three kinds, two samples.
struct Tokens {
  explicit Tokens(const std::string& text)
      : net(parse_model(text, {.input = {5}, .classes = 3, .graph = nullptr, .targets = 5})), x(2, 5), error(2, 15) {
    net.initialise(2);
    for (Index i = 0; i < 10; ++i) {
      x.data()[i] = float(i % 3);
      labels.push_back(std::uint8_t((i * i) % 3));
    }
  }
  double loss() {
    forward(net, x, activations, {.training = true});
    return output_error(Loss::cross_entropy, {activations.h.back().data(), 10, 3}, labels, {error.data(), 10, 3});
  }
  Network net;
  Matrix<float> x, error;
  std::vector<std::uint8_t> labels;
  Activations activations;
};

}  // namespace

TEST_CASE("back-propagation through tokens is the derivative of the loss summed over them") {
  Tokens bench("embedding 3 8 | residual(layer_norm, attention 2 causal), dense 8, tanh | dense classes");
  CHECK(bench.net.tokens() == 5);
  CHECK(bench.net.classes() == 3);
  bench.loss();
  const auto bp = rule("bp").make({bench.net, 1, ParamSet("rule", {}), nullptr});
  std::vector<float> gradient(bench.net.parameters().size());
  bp->gradient(bench.net, {bench.activations, bench.error, bench.labels}, gradient);
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < gradient.size(); i += 3) {
    float& w = bench.net.parameters()[i];
    const float before = w, up = before + 1e-3f, down = before - 1e-3f;  // embeddings are small: the loss bends there
    w = up;
    const double above = bench.loss();
    w = down;
    const double below = bench.loss();
    w = before;
    const double slope = (above - below) / (double(up) - double(down)) / 2;  // the mean over two samples
    largest = std::max(largest, std::fabs(slope));
    worst = std::max(worst, std::fabs(slope - double(gradient[i])));
  }
  CHECK(worst < 5e-3 * largest);
}

TEST_CASE("each token gets the projection of its own error") {
  Tokens bench("embedding 3 8 | layer_norm, dense 8, tanh | dense classes");
  bench.loss();
  MatrixFeedback feedback(3, 8);
  std::vector<float> gradient(bench.net.parameters().size());
  const RuleModel& model = rule("dfa");
  const auto made = model.make({bench.net, 1, ParamSet("rule", model.info.params), &feedback});
  made->gradient(bench.net, {bench.activations, bench.error, bench.labels}, gradient);
  CHECK(feedback.rows_projected == 10);
  CHECK(made->declared(bench.net, 2).projections == 10);
  for (const Index layer : {Index{0}, Index{1}})
    for (Index r = 0; r < 10; ++r)
      for (Index j = 0; j < 8; ++j) {
        double wanted = 0;
        for (Index c = 0; c < 3; ++c) wanted += double(feedback.matrix()(j, c)) * double(bench.error.data()[r * 3 + c]);
        CHECK(double(made->teaching_signal(layer).data()[r * 8 + j]) == Approx(wanted / std::sqrt(8.0)).margin(1e-6));
      }
  Tokens mixed("embedding 3 8 | flatten, dense 40 | dense classes");
  CHECK(mixed.net.tokens() == 1);
}

TEST_CASE(
    "characters are predicted as well as they can be by the exact gradient, nearly so by DFA, better than by frequency "
    "by tdfa",
    "[law]") {
  const TrainTest data = coin_text(12);
  CHECK(data.test.yardstick.value == Approx(1.918).margin(0.03));  // a and b a third each, c and d a sixth
  const std::pair<std::string, double> most[] = {
      {"bp", 0.4},    {"dfa", 0.8},      {"tdfa", 1.6}, {"fa", 0.8},  {"sign_symmetric", 0.8},
      {"local", 0.8}, {"auglocal", 0.8}, {"lls", 1.6},  {"sff", 1.6}, {"ccl", 1.6}};
  for (const auto& [rule, limit] : most) {
    const TrainResult run = train(settings(rule), data, kNoDevices);
    const double bits = run.epochs.back().test_loss / std::log(2.0);
    INFO(rule << ' ' << bits);
    CHECK(bits > 0.32);  // one character in three is a coin: 1/3 bit
    CHECK(bits < limit);
    CHECK(run.net.tokens() == 12);
    if (rule != "tdfa") CHECK(run.epochs.back().active_fraction == 1);  // every token has an error of its own
  }
}

TEST_CASE("local losses of tokens: gradients as their differences, means over tokens") {
  const std::pair<std::string, Settings> rules[] = {{"local", {}},
                                                    {"sff", {}},
                                                    {"lls", {{"smoothing", 0.0}, {"mixing", "scale"}}},
                                                    {"ccl", {{"clip", 0.0}}},
                                                    {"auglocal", {}}};
  for (const auto& [name, given] : rules) {
    Tokens bench("embedding 3 8 | layer_norm, attention 2 causal, tanh | dense 6, tanh | dense classes");
    bench.loss();
    const RuleModel& model = rule(name);
    ParamSet params("rule", model.info.params);
    params.set(given);
    const auto made = model.make({bench.net, 1, params, nullptr});
    std::vector<float> gradient(bench.net.parameters().size()), other(gradient.size());
    const RuleBatch batch{.activations = bench.activations, .error = {}, .labels = bench.labels};
    made->gradient(bench.net, batch, gradient);
    CHECK(made->shown_rows().size() == 10);
    const std::size_t last = made->layer_loss().size() - 1;
    if (name != "sff") CHECK(made->loss() == Approx(10 * made->layer_loss()[last]));
    double worst = 0, largest = 0;
    for (Index b = 0; b < bench.net.layers(); ++b)
      for (Index k = 1; k < bench.net.model()->block(b).parameters(); k += 5) {
        const auto at = static_cast<std::size_t>(bench.net.offset(b) + k);
        float& w = bench.net.parameters()[at];
        const float before = w, step = b == 0 ? 2e-4f : 1e-3f;  // heads of AugLocal on small embeddings bend
        double loss[2];
        for (const int side : {0, 1}) {
          w = before + (side ? step : -step);
          made->gradient(bench.net, batch, other);
          loss[side] = made->layer_loss()[std::min(std::size_t(b), last)];
        }
        w = before;
        const double slope = (loss[1] - loss[0]) / (2 * double(step));
        worst = std::max(worst, std::fabs(slope - double(gradient[at])));
        largest = std::max(largest, std::fabs(double(gradient[at])));
      }
    INFO(name << ' ' << worst << " of " << largest);
    CHECK(worst < 1e-2 * largest);
  }
}

TEST_CASE("own answers for a token depend on no token behind it") {
  Tokens bench("embedding 3 8 | attention 2 causal, tanh | dense 6, tanh | dense classes");
  const std::pair<std::string, Settings> rules[] = {
      {"local", {{"answer", "sum"}}}, {"sff", {{"answer", "mean"}}}, {"sff", {{"answer", "softmax"}}}};
  for (const auto& [name, given] : rules) {
    INFO(name);
    const RuleModel& model = rule(name);
    ParamSet params("rule", model.info.params);
    params.set(given);
    const auto made = model.make({bench.net, 1, params, nullptr});
    Matrix<float> now(2, 15), then(2, 15);
    made->scores(bench.net, bench.x, now, 0);
    Matrix<float> other = bench.x;
    for (Index r = 0; r < 2; ++r) other(r, 4) = float(int(other(r, 4) + 1) % 3);
    made->scores(bench.net, other, then, 0);
    for (Index r = 0; r < 2; ++r) {
      CHECK(std::ranges::equal(now.row(r).first(12), then.row(r).first(12)));
      CHECK_FALSE(std::ranges::equal(now.row(r).last(3), then.row(r).last(3)));
    }
  }
}

TEST_CASE("what asks for one label per sample is refused on tokens") {
  const TrainTest data = coin_text(12);
  for (const char* rule : {"drtp", "phyll", "ff"})
    CHECK_THROWS_WITH(train(settings(rule), data, kNoDevices), Catch::Contains(rule) && Catch::Contains("token"));
  CHECK_THROWS_WITH(train(settings("bp", {{"train.layer_metrics", std::int64_t{10}}}), data, kNoDevices),
                    Catch::Contains("layer_metrics"));
  CHECK_THROWS_WITH(
      train(settings("bp", {{"train.net", std::string("embedding 4 8 | flatten, dense 4")}}), data, kNoDevices),
      Catch::Contains("1 answers per sample") && !Catch::Contains("one-hot"));
  TrainTest hot = data;
  for (Dataset* part : {&hot.train, &hot.test})
    for (std::size_t i = 0; i < part->labels.size(); ++i)
      part->labels[i] = i % static_cast<std::size_t>(part->targets) == i / static_cast<std::size_t>(part->targets) % 3;
  CHECK_THROWS_WITH(
      train(settings("bp", {{"train.net", std::string("embedding 4 8 | flatten, dense 4")}}), hot, kNoDevices),
      Catch::Contains("one-hot") && Catch::Contains("argmax"));
  for (const char* rule : {"dfa", "local", "auglocal", "lls", "sff", "ccl"})
    CHECK_THROWS_WITH(train(settings(rule, {{"train.net", std::string("dense 12 | embedding 4 8 | dense classes")}}),
                            data, kNoDevices),
                      Catch::Contains("one by one"));
}

TEST_CASE("a run on tokens resumes to the bit with any number of threads, feedback at blocks or layers") {
  const TrainTest data = coin_text(12);
  for (const std::string feedback : {"blocks", "layers"}) {
    const test::TemporaryFolder folder;
    TrainSettings asked = settings("dfa", {{"rule.feedback", feedback},
                                           {"rule.noise", 0.5},
                                           {"train.epochs", std::int64_t{1}},
                                           {"train.threads", std::int64_t{1}}});
    const std::string whole = train(asked, data, kNoDevices).weights_sha256;
    asked["train.out"] = folder / "run.h5";
    TrainObserver observer;
    int steps = 0;
    observer.stop = [&steps] { return ++steps == 5; };
    CHECK(train(asked, data, kNoDevices, observer).interrupted);
    const TrainResult resumed =
        train({{"train.resume", folder / "run.h5"}, {"train.threads", std::int64_t{2}}}, data, kNoDevices);
    CHECK(resumed.weights_sha256 == whole);
    const RunFile file = load_run(folder / "run.h5");
    CHECK(file.alphabet == "abcd");
    CHECK(file.epochs.back().test_loss == resumed.epochs.back().test_loss);
    TrainTest other = data;
    for (Dataset* part : {&other.train, &other.test}) part->alphabet = "wxyz";
    CHECK_THROWS_WITH(train(settings("bp", {{"train.init_from", folder / "run.h5"}}), other, kNoDevices),
                      Catch::Contains("other characters"));
  }
}

TEST_CASE("a picture is learned as real targets by the square of the error, and what asks for labels is refused") {
  const TrainTest picture = make_picture(1, 24);
  TrainSettings asked{{"train.net", std::string("64-48-3")}, {"train.activation", std::string("relu")},
                      {"train.loss", std::string("mse")},    {"train.lr", 3e-3},
                      {"train.batch", std::int64_t{32}},     {"train.epochs", std::int64_t{30}}};
  for (const char* rule : {"bp", "dfa", "fa", "sign_symmetric"}) {
    asked["train.rule"] = std::string(rule);
    const TrainResult run = train(asked, picture, kNoDevices);
    INFO(rule);
    CHECK(run.epochs.back().test_loss < 0.05);  // 0.16 for the mean colour alone
    CHECK(std::isnan(run.test_accuracy));
    CHECK(evaluate(run.net, picture.test).loss == run.epochs.back().test_loss);
  }
  asked["train.rule"] = std::string("spsa");
  asked["train.epochs"] = std::int64_t{150};  // all weights are tried at once
  CHECK(train(asked, picture, kNoDevices).epochs.back().test_loss < 0.16);
  asked["train.epochs"] = std::int64_t{60};
  for (const char* rule : {"local", "auglocal", "pepita", "predictive_coding", "forward_gradient", "adfa", "reinforce",
                           "ridge", "node_perturbation"}) {
    asked["train.rule"] = std::string(rule);
    if (std::string(rule) == "reinforce") asked["train.activation"] = std::string("tanh");
    const TrainResult run = train(asked, picture, kNoDevices);
    INFO(rule);
    CHECK(run.epochs.back().test_loss < 0.12);
    asked["train.activation"] = std::string("relu");
  }
  asked["train.rule"] = std::string("local");
  asked["rule.answer"] = std::string("sum");
  CHECK_THROWS_WITH(train(asked, picture, kNoDevices), Catch::Contains("real numbers"));
  asked.erase("rule.answer");
  asked["train.rule"] = std::string("drtp");
  CHECK_THROWS_WITH(train(asked, picture, kNoDevices), Catch::Contains("drtp") && Catch::Contains("real numbers"));
  asked["train.rule"] = std::string("bp");
  asked["train.loss"] = std::string("cross_entropy");
  CHECK_THROWS_WITH(train(asked, picture, kNoDevices), Catch::Contains("--loss mse"));
  CHECK_THROWS_AS(evaluate(Network({64, 4, 4}, Activation::tanh), picture.test), ShapeMismatch);
}

TEST_CASE("a factorisation machine learns the pairs that make clicks, what a linear model cannot") {
  const TrainTest clicks = make_clicks(1, 20000, 5000);
  CHECK(clicks.test.yardstick.value > 0.8);
  const auto auc = [&](const std::string& net) {
    const TrainResult run = train(
        {{"train.rule", std::string("bp")}, {"train.net", net}, {"train.lr", 2e-2}, {"train.epochs", std::int64_t{5}}},
        clicks, kNoDevices);
    return evaluate(run.net, clicks.test).auc;
  };
  const double linear = auc("embedding 240 8, flatten, dense classes");
  const double machine = auc("embedding 240 8, factorisation, dense classes");
  INFO(linear << ' ' << machine << " of " << clicks.test.yardstick.value);
  CHECK(linear > 0.6);
  CHECK(machine > linear + 0.03);
  CHECK(machine < clicks.test.yardstick.value);
}
