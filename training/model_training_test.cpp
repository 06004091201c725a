// Networks of any layers through the whole loop: run file, resume, rules.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/evaluate.hpp"
#include "training/network_for.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

const char* const kNet =
    "conv 8 3 stride=2, batch_norm, tanh | residual(conv 8 3, batch_norm), tanh, max_pool 2, dropout 0.1 | flatten, "
    "dense 64, tanh, dense classes";

TrainSettings small(const std::string& rule, const TrainSettings& more = {}) {
  TrainSettings s{{"train.net", kNet},
                  {"train.rule", rule},
                  {"train.epochs", std::int64_t{2}},
                  {"train.lr", 3e-3},
                  {"train.batch", std::int64_t{16}}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, make_digits(1, 600, 200), Registry(), observer);
}

}  // namespace

TEST_CASE("a convolutional network with batch norm, dropout and a residual learns digits by every rule that takes it",
          "[law]") {
  const TrainSettings longer{{"train.epochs", std::int64_t{4}}};
  const TrainResult bp = run(small("bp", longer));
  CHECK(bp.test_accuracy > 0.65);  // chance is 0.1
  REQUIRE(bp.alignment.size() == 2);
  for (const double a : bp.alignment) CHECK(a == Approx(1).margin(1e-6));
  CHECK(run(small("dfa", longer)).test_accuracy > 0.55);
  TrainSettings layers = longer;
  layers["rule.feedback"] = "layers";
  CHECK(run(small("dfa", layers)).test_accuracy > 0.25);
  for (const char* rule : {"fa", "sign_symmetric"}) {
    const TrainResult result = run(small(rule, longer));
    INFO(rule);
    CHECK(result.test_accuracy > 0.4);
    REQUIRE(result.epochs.back().weight_alignment.size() == 2);
    for (const double a : result.epochs.back().weight_alignment) CHECK((a > -0.2 && a < 1));
  }
  CHECK_THROWS_WITH(run(small("reinforce")), Catch::Contains("stochastic"));
}

TEST_CASE("a model's run stopped anywhere and resumed ends with the weights of one that never stopped") {
  const TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  const TrainResult whole = run(small("dfa", {{"train.threads", std::int64_t{1}}}));
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 50; };
  CHECK(run(small("dfa", {{"train.out", path}}), stopping).interrupted);
  const TrainResult resumed =
      train({{"train.resume", path}, {"train.threads", std::int64_t{2}}}, make_digits(1, 600, 200), Registry());
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);
  const RunFile file = load_run(path);
  CHECK(file.net.text() == whole.net.text());
  CHECK(std::ranges::equal(file.net.state(), whole.net.state()));
  CHECK(evaluate(load_network(path), make_digits(1, 600, 200).test).accuracy == whole.test_accuracy);
  const TrainResult further =
      run(small("bp", {{"train.init_from", path}, {"train.epochs", std::int64_t{1}}, {"train.lr", 0.0}}));
  CHECK(std::ranges::equal(further.net.parameters(), whole.net.parameters()));
}

TEST_CASE("rules of blocks train a convolutional net of any layers, and their runs go on to the bit", "[law]") {
  const TemporaryFolder folder;
  const auto settings = [](const std::string& rule) {
    TrainSettings s{
        {"train.net", "conv 8 3 stride=2, batch_norm, tanh | conv 8 3 stride=2, tanh | flatten, dense classes"},
        {"train.epochs", std::int64_t{3}}};
    if (rule == "noprop") s["rule.blocks"] = std::int64_t{2};
    if (rule == "reinforce") s["train.net"] = "conv 8 5 stride=3, batch_norm, stochastic | flatten, dense classes";
    return small(rule, s);
  };
  for (const char* rule : {"local", "sff", "lls", "ccl", "auglocal", "noprop", "forward_gradient", "node_perturbation",
                           "ff", "phyll", "adfa", "reinforce"}) {
    INFO(rule);
    const TrainResult whole = run(settings(rule));
    // chance is 0.1; PhyLL, whose pairs move random directions apart, is slow on so few samples
    CHECK(whole.test_accuracy > (rule == std::string("phyll") ? 0.2 : 0.4));
    const std::string path = folder / std::string(rule) + ".h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == 20; };
    TrainSettings first = settings(rule);
    first["train.out"] = path;
    run(first, stopping);
    const TrainResult resumed = run({{"train.resume", path}});
    CHECK(resumed.weights_sha256 == whole.weights_sha256);  // running statistics among them
    CHECK(std::ranges::equal(resumed.own.flat(), whole.own.flat()));
  }
}

TEST_CASE("the image presets learn", "[law]") {
  for (const char* net : {"vgg8:4", "resnet18-small:2"}) {
    const TrainResult result = run(small("bp", {{"train.net", net}, {"train.alignment_every", std::int64_t{0}}}));
    INFO(net);
    CHECK(result.epochs.back().train_loss < 0.9 * result.epochs.front().train_loss);
    CHECK(result.test_accuracy > 0.2);  // chance is 0.1
  }
}

TEST_CASE("every rule of blocks teaches all blocks of the image presets, a residual block as one") {
  const TrainTest data = make_digits(1, 48, 40);
  for (const auto& [preset, hidden] : {std::pair{"vgg8:2", Index{7}}, std::pair{"resnet18-small:2", Index{9}}})
    for (const char* rule :
         {"local", "sff", "lls", "ccl", "auglocal", "noprop", "forward_gradient", "node_perturbation", "ff", "phyll"}) {
      TrainSettings s = small(
          rule, {{"train.net", preset}, {"train.epochs", std::int64_t{1}}, {"train.alignment_every", std::int64_t{0}}});
      if (rule == std::string("noprop")) s["rule.blocks"] = std::int64_t{2};
      Network before = network_for(preset, Activation::tanh, data.train);
      before.initialise(1);
      const TrainResult result = train(s, data, Registry());
      INFO(preset << ", " << rule);
      REQUIRE(result.net.hidden_layers() == hidden);
      CHECK(std::isfinite(result.epochs.back().train_loss));
      for (Index b = 0; b < result.net.layers(); ++b) {
        const auto first = static_cast<std::size_t>(result.net.offset(b));
        const std::size_t last = b + 1 < result.net.layers() ? static_cast<std::size_t>(result.net.offset(b + 1))
                                                             : result.net.parameters().size();
        INFO("block " << b);
        CHECK_FALSE(std::ranges::equal(result.net.parameters().subspan(first, last - first),
                                       std::as_const(before).parameters().subspan(first, last - first)));
      }
    }
}

namespace {

/// Six codes of four; the label is the third of them, which the last token, where the answer is read, must look up.
Dataset codes(Index samples, std::uint64_t instance) {
  Dataset data;
  data.name = "codes";
  data.source = "generated";
  data.sample_shape = {6};
  data.classes = 4;
  data.floats = Matrix<float>(samples, 6);
  const Stream draws(1, instance, Purpose::user);
  for (Index r = 0; r < samples; ++r) {
    std::uint32_t words[6];
    draws.words(std::uint64_t(r), 0, words);
    for (Index t = 0; t < 6; ++t) data.floats(r, t) = float(words[t] % 4);
    data.labels.push_back(std::uint8_t(data.floats(r, 2)));
  }
  return data;
}

}  // namespace

TEST_CASE("a transformer learns where to look by back-propagation, and part of it by DFA on its blocks", "[law]") {
  const auto accuracy = [](const std::string& rule, const TrainSettings& more = {}) {
    TrainSettings s{{"train.net", "char-transformer:32x1"},
                    {"train.rule", rule},
                    {"train.lr", 5e-3},
                    {"train.epochs", std::int64_t{8}},
                    {"train.batch", std::int64_t{32}},
                    {"train.alignment_every", std::int64_t{0}}};
    for (const auto& [key, value] : more) s[key] = value;
    return train(s, {codes(2000, 1), codes(500, 2)}, Registry()).test_accuracy;
  };
  CHECK(accuracy("bp") > 0.9);  // chance is 0.25
  CHECK(accuracy("dfa") > 0.4);
}

TEST_CASE("a batch of one sample is refused where batch norm would see one value per channel, and only there") {
  const TrainSettings one{{"train.batch", std::int64_t{1}}, {"train.samples", std::int64_t{5}}};
  const auto with = [&](const char* net, TrainSettings more) {
    more["train.net"] = std::string(net);
    return run(small("bp", more));
  };
  for (const char* net : {"flatten, dense 8, batch_norm, relu | dense classes",
                          "flatten | residual(dense 784, batch_norm) | dense classes",
                          "flatten | residual(dense 784; batch_norm) | dense classes"})
    CHECK_THROWS_WITH(with(net, one), Catch::Contains("train.batch") && Catch::Contains("2 or more"));
  CHECK_NOTHROW(with("conv 2 5 stride=4, batch_norm, relu | flatten, dense classes", one));
  CHECK_NOTHROW(with("flatten, dense 8, layer_norm, relu | dense classes", one));
}

TEST_CASE("images whose channels come first are refused unless the net says their shape") {
  Dataset data = codes(10, 1);
  data.sample_shape = {1, 2, 5};
  data.floats = Matrix<float>(10, 10);
  CHECK_THROWS_WITH(network_for("flatten, dense classes", Activation::tanh, data), Catch::Contains("moveaxis"));
  CHECK(network_for("1x2x5 | flatten, dense classes", Activation::tanh, data).text() == "1x2x5 | flatten, dense 4");
  data.sample_shape = {2, 5};
  CHECK(network_for("flatten, dense classes", Activation::tanh, data).text() == "2x5x1 | flatten, dense 4");
}

TEST_CASE("a net for other data is refused before the first step") {
  CHECK_THROWS_WITH(run(small("bp", {{"train.net", "20 | dense classes"}})), Catch::Contains("784 features"));
  CHECK_THROWS_WITH(run(small("bp", {{"train.net", "vgg"}})), Catch::Contains("did you mean vgg8"));
  CHECK_THROWS_WITH(run(small("bp", {{"train.net", "embedding 256 8, attention 2, last_token, dense classes"}})),
                    Catch::Contains("number of tokens"));
}
