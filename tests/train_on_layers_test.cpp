// Training whose forward pass runs on simulated crossbars.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"
#include "training/citations_for_tests.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/coin_text_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/evaluate.hpp"
#include "training/layers/architecture.hpp"
#include "training/loss.hpp"
#include "training/network_for.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

constexpr const char* kNoisy = "sim:crossbar,preset=pcm,output_noise=0.3";

TrainResult run(const TrainSettings& more, const TrainObserver& observer = {}) {
  Registry registry;
  add_devices(registry);
  TrainSettings s{{"train.net", "20-24-16-5"},        {"train.rule", "bp"},
                  {"train.epochs", std::int64_t{3}},  {"train.lr", 1e-2},
                  {"train.batch", std::int64_t{100}}, {"train.layers", std::string(kNoisy)}};
  for (const auto& [key, value] : more) s[key] = value;
  return train(s, cluster_task(), registry, observer);
}

/// A crossbar whose outputs each lose their own part, for good: nothing else is wrong with it.
constexpr const char* kWorn = "sim:crossbar,preset=ideal,voltage_offset=0.5";

/// Accuracy on that crossbar of a seed, written and calibrated anew, on `data`.
double on_worn(const Network& net, std::int64_t chip, const Dataset& data) {
  Registry registry;
  add_devices(registry);
  AnalogNetwork layers(registry, {.device = kWorn, .settings = {{"seed", chip}}}, net);
  layers.program(net);
  return layers.evaluate(net, data).accuracy;
}

}  // namespace

TEST_CASE("weights on devices learn from inputs as far as their range reaches, by differences") {
  Registry registry;
  add_devices(registry);
  const AnalogPlace place{.device = "sim:crossbar,preset=ideal,dac.bits=16,adc.bits=16,weight.bits=16,adc.range=8",
                          .settings = {},
                          .layer = {{"noise_management", std::string("fixed")},
                                    {"input_range", 0.5},
                                    {"calibrate", false},
                                    {"weight_limit", 4.0}}};
  Network net({6, 5, 3}, Activation::tanh);
  net.initialise(3);
  AnalogNetwork layers(registry, place, net);
  Matrix<float> x(200, 6), error(200, 3);
  std::vector<std::uint8_t> labels;
  for (Index r = 0; r < 200; ++r) {
    Stream(8, 0, Purpose::user).normal(static_cast<std::uint64_t>(r), 0, x.row(r));
    labels.push_back(static_cast<std::uint8_t>(r % 3));
  }
  Activations passed;
  const auto loss = [&] {
    layers.program(net, true);
    layers.forward(net, x, passed);
    return output_error(Loss::cross_entropy, passed.h.back(), labels, error) / 200;
  };
  loss();
  std::vector<float> g(net.parameters().size()), whole(g);
  const RuleModel& bp = rule("bp");
  const ParamSet params("rule bp", bp.info.params);
  bp.make({net, 1, params})->gradient(net, {passed, error, labels, Loss::cross_entropy}, g);
  Activations unclipped{passed.h, {}};
  bp.make({net, 1, params})->gradient(net, {unclipped, error, labels, Loss::cross_entropy}, whole);
  double apart = 0, from_whole = 0, size = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    float& w = net.parameters()[i];
    const float before = w;
    w = before + 0.02f;
    const double up = loss();
    w = before - 0.02f;
    const double slope = (up - loss()) / 0.04;
    w = before;
    apart += std::pow(slope - static_cast<double>(g[i]), 2);
    from_whole += std::pow(slope - static_cast<double>(whole[i]), 2);
    size += slope * slope;
  }
  CHECK(std::sqrt(apart / size) < 0.05);  // activities that cross an end of the range within a step
  CHECK(std::sqrt(from_whole / size) > 0.3);
}

// Null: a network that learns nothing, right by chance: one of five classes. One-sided, 3 seeds, alpha 1e-6 each.
TEST_CASE("a network learns in pairs of pulsed cells, worn and refreshed, and resumes to the bit") {
  const TemporaryFolder folder;
  for (const char* kind : {"constant_step", "soft_bounds"})
    for (std::int64_t seed = 1; seed <= 3; ++seed) {
      INFO(kind << ", seed " << seed);
      const std::string cells = std::string("sim:crossbar,pulse.pair=true,pulse.step=0.002,cell.kind=") + kind;
      TrainSettings s{{"train.layers", cells},
                      {"train.seed", seed},
                      {"layer.update", std::string("pulses")},
                      {"layer.weight_limit", 1.5}};
      const TrainResult whole = run(s);
      const double n = static_cast<double>(cluster_task().test.size());
      CHECK(whole.test_accuracy > 0.2 + 4.9 * std::sqrt(0.2 * 0.8 / n));
      if (seed > 1) continue;
      TrainObserver observer;
      int steps = 0;
      observer.stop = [&] { return ++steps == 9; };
      const std::string part = folder / (std::string(kind) + ".h5");
      s["train.out"] = part;
      run(s, observer);
      const TrainResult resumed = run({{"train.resume", part}, {"train.layers", cells}});
      CHECK(resumed.weights_sha256 == whole.weights_sha256);
      CHECK(resumed.test_accuracy == whole.test_accuracy);
    }
}

TEST_CASE("running ranges follow a run by windows, go on from its file to the bit and stay in its scores") {
  const TemporaryFolder folder;
  const Settings windows{{"noise_management", std::string("running")},
                         {"output_range", std::string("running")},
                         {"range_rows", std::int64_t{48}},
                         {"range_percentile", 95.0},
                         {"memory", 0.8}};
  TrainSettings s;
  for (const auto& [key, value] : windows) s["layer." + key] = value;
  const TrainResult whole = run(s);
  CHECK(whole.test_accuracy > 0.9);  // chance is 0.2
  CHECK(whole.weights_sha256 != run({}).weights_sha256);
  TrainObserver observer;
  int steps = 0;
  observer.stop = [&] { return ++steps == 9; };
  const std::string part = folder / "part.h5";
  s["train.out"] = part;
  run(s, observer);
  CHECK(run({{"train.resume", part}}).weights_sha256 == whole.weights_sha256);

  Registry registry;
  add_devices(registry);
  Network net({20, 24, 5}, Activation::tanh);
  net.initialise(3);
  AnalogNetwork layers(registry, {.device = kNoisy, .settings = {}, .layer = windows}, net);
  Matrix<float> x(100, 20);
  Stream(8, 0, Purpose::user).normal(0, 0, x.flat());
  layers.program(net);
  Activations passed;
  layers.forward(net, x, passed);
  const std::vector<double> ranges = layers.product(1).input_ranges();
  const double adc = layers.reports()[1].output_range;
  CHECK(ranges[0] > 0);
  CHECK(ranges[1] == 100 % 48);
  CHECK(adc > 0);
  layers.evaluate(net, cluster_task().test);
  CHECK(layers.product(1).input_ranges() == ranges);
  CHECK(layers.reports()[1].output_range == adc);
  layers.forward(net, x, passed);
  CHECK(layers.product(1).input_ranges() != ranges);
}

TEST_CASE("weights trained on a device learn what is fixed about it: on it they beat digital weights by 5 points") {
  // What an output loses is fixed per device and, with one gain for all outputs, not taken out by calibration. By
  // theory physics-aware training learns it, on that device and on no other. Measured, mean of three seeds: digital
  // weights 71.0 %, aware ones 83.7 %, those elsewhere 59.0 %, digital in memory 90.0 %; margins are under a half of
  // that.
  const TrainTest data{clusters(1000, 1, 10, 12), clusters(2000, 2, 10, 12)};
  double digital = 0, aware = 0, elsewhere = 0, in_memory = 0;
  constexpr int kSeeds = 3;
  for (std::int64_t seed = 1; seed <= kSeeds; ++seed) {
    Registry registry;
    add_devices(registry);
    TrainSettings s{{"train.net", "10-16-12"},          {"train.rule", "bp"},
                    {"train.epochs", std::int64_t{10}}, {"train.lr", 1e-2},
                    {"train.batch", std::int64_t{100}}, {"train.seed", seed}};
    const Network plain = train(s, data, registry).net;
    s["train.layers"] = std::string(kWorn);  // of the run's seed
    const Network adapted = train(s, data, registry).net;
    in_memory += evaluate(plain, data.test).accuracy / kSeeds;
    digital += on_worn(plain, seed, data.test) / kSeeds;
    aware += on_worn(adapted, seed, data.test) / kSeeds;
    elsewhere += on_worn(adapted, seed + 100, data.test) / kSeeds;
  }
  INFO(digital << " " << aware << " " << elsewhere << " " << in_memory);
  CHECK(aware > digital + 0.05);
  CHECK(aware - digital > 0.4 * (in_memory - digital));
  CHECK(aware > elsewhere + 0.05);
}

TEST_CASE("a network learns through noisy crossbars, and the device's part is planned and counted") {
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  const TrainResult result = run({}, observer);
  CHECK(result.test_accuracy > 0.9);  // chance is 0.2
  CHECK(result.layers == kNoisy);
  CHECK(plan.device_frames > 0);
  CHECK(result.device_frames <= plan.device_frames);
  CHECK(result.device_joules > 0);
  CHECK(result.weights_sha256 != run({{"train.layers", std::string()}}).weights_sha256);
  CHECK(result.weights_sha256 == run({{"train.threads", std::int64_t{1}}}).weights_sha256);
}

TEST_CASE("a run on analog layers that is stopped goes on to the same bits, memory cells and counters included") {
  const TemporaryFolder folder;
  const TrainResult whole = run({{"train.out", folder / "whole.h5"}});
  TrainObserver observer;
  int steps = 0;
  observer.stop = [&] { return ++steps == 9; };
  const TrainResult part = run({{"train.out", folder / "part.h5"}}, observer);
  CHECK(part.interrupted);
  const TrainResult resumed = run({{"train.resume", folder / "part.h5"}});
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);
  CHECK(resumed.device_frames == whole.device_frames);
  CHECK(resumed.device_joules == Approx(whole.device_joules).epsilon(1e-9));
  CHECK_THROWS_AS(run({{"train.resume", folder / "whole.h5"}}), InvalidParameter);  // it is complete
}

TEST_CASE("frames of a measured feedback matrix and those of the layers are counted together, also after a resume") {
  const TemporaryFolder folder;
  const TrainSettings both{{"train.rule", std::string("dfa")},
                           {"train.device", std::string("digital")},
                           {"rule.matrix_from", std::string("sim:opu")},
                           {"train.out", folder / "both.h5"}};
  TrainSettings plain = both;
  plain.erase("rule.matrix_from");
  plain["train.out"] = std::string();
  std::int64_t measured = 0;  // planned before anything else is shown: calibration and two frames per unit vector
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& plan) {
    measured += plan.device_frames;
    return false;
  };
  run(both, observer);
  measured = -measured;
  run(plain, observer);
  measured = -measured;
  REQUIRE(measured > 10);
  TrainObserver stopping;
  int steps = 0;
  stopping.stop = [&] { return ++steps == 9; };
  const TrainResult part = run(both, stopping);
  CHECK(part.device_frames > measured);
  const TrainResult resumed = run({{"train.rule", std::string("dfa")}, {"train.resume", folder / "both.h5"}});
  const std::int64_t layers = run(plain).device_frames;
  CHECK(resumed.device_frames > layers);
  CHECK(resumed.device_frames <= layers + measured);
  TrainSettings whole = both;
  whole["train.out"] = std::string();
  CHECK(run(whole).device_frames == resumed.device_frames);
}

TEST_CASE("signals go back through twins and through the devices themselves, where the rule sends any") {
  const TrainSettings fixed{{"layer.noise_management", std::string("learned")}};
  const auto with = [&](const char* way, const char* device) {
    TrainSettings s = fixed;
    s["layer.backward"] = std::string(way);
    s["train.layers"] = std::string(device);
    return run(s);
  };
  const char* lossy = "sim:mzi_mesh,mesh.layout=reck,loss=0.05,correction=none";
  const TrainResult weights = with("weights", lossy), twin = with("twin", lossy), device = with("device", lossy);
  for (const TrainResult* one : {&weights, &twin, &device}) CHECK(one->test_accuracy > 0.9);
  CHECK(twin.weights_sha256 != weights.weights_sha256);
  CHECK(device.weights_sha256 != twin.weights_sha256);
  CHECK(device.device_frames > twin.device_frames);  // the way back is shown too
  CHECK(twin.device_frames == weights.device_frames);
  CHECK_THROWS_AS(run({{"train.rule", std::string("fa")}, {"layer.backward", std::string("twin")}}), Unsupported);
}

TEST_CASE("weights that live in pulsed cells learn there, backwards through cells or twin too, and resume to the bit") {
  const TemporaryFolder folder;
  TrainSettings pulses{{"train.layers", std::string("sim:crossbar,cell.kind=soft_bounds,pulse.step=0.002")},
                       {"layer.update", std::string("pulses")},
                       {"layer.weight_limit", 1.5}};
  const auto with = [&](const TrainSettings& more, const TrainObserver& observer = {}) {
    TrainSettings s = pulses;
    for (const auto& [key, value] : more) s[key] = value;
    return run(s, observer);
  };
  for (const auto& [backward, ranges] : {std::pair{"device", "abs_max"}, {"twin", "learned"}}) {
    INFO(backward << ", " << ranges);
    pulses["layer.backward"] = std::string(backward);
    pulses["layer.noise_management"] = std::string(ranges);
    const TrainResult whole = with({{"train.out", folder / (std::string(backward) + "_whole.h5")}});
    CHECK(whole.test_accuracy > 0.9);  // chance is 0.2
    TrainObserver observer;
    int steps = 0;
    observer.stop = [&] { return ++steps == 9; };
    const std::string part = folder / (std::string(backward) + "_part.h5");
    with({{"train.out", part}}, observer);
    const TrainResult resumed = run({{"train.resume", part}, {"train.layers", pulses.at("train.layers")}});
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.test_accuracy == whole.test_accuracy);
    CHECK(resumed.device_frames == whole.device_frames);
  }
  CHECK_THROWS_AS(with({{"layer.weight_limit", 0.0}}), InvalidParameter);
  CHECK_THROWS_AS(with({{"train.layers", std::string("sim:mzi_mesh")}, {"layer.weight_limit", 5.0}}), Unsupported);
}

TEST_CASE(
    "a rule that knows the loss only learns on the devices: every trial is a network that was written and shown") {
  TrainPlan plan;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& p) {
    plan = p;
    return true;
  };
  TrainSettings spsa{{"train.rule", std::string("spsa")},  {"train.net", std::string("20-5")},
                     {"train.epochs", std::int64_t{8}},    {"train.layers", std::string()},
                     {"rule.directions", std::int64_t{4}}, {"rule.c", 0.05}};
  const double digital = run(spsa).test_accuracy;
  spsa["train.layers"] = std::string("sim:crossbar,preset=ideal,weight.bits=12,adc.bits=12");
  const TrainResult first = run(spsa, observer);
  CHECK(digital > 0.4);  // chance is 0.2
  CHECK(first.test_accuracy > digital - 0.1);
  CHECK(first.device_frames <= plan.device_frames);
  CHECK(plan.frames_shown_once >= 8 * plan.steps * 100 * 9 / 10);  // 2 x 4 passes of each batch, the last one shorter
}

TEST_CASE("rules that make passes of their own make them, and their answers, on the devices, and resume to the bit") {
  const TemporaryFolder folder;
  for (const char* rule : {"ff", "phyll", "local", "pepita", "noprop"}) {
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    const std::string file = folder / (std::string(rule) + ".h5");
    TrainSettings s{{"train.rule", std::string(rule)}};
    if (rule == std::string("noprop")) s["rule.blocks"] = std::int64_t{3};
    const TrainResult whole = run(s, observer);
    INFO(rule);
    CHECK(whole.test_accuracy > 0.35);  // 30 noisy steps are few; chance is 0.2, with a standard error of 0.018
    CHECK(whole.device_frames <= plan.device_frames);
    const std::int64_t passes = whole.epochs.back().touch.passes / 3;  // of all layers
    CHECK(plan.frames_shown_once >= passes);
    s["train.layers"] = std::string();
    CHECK(run(s).weights_sha256 != whole.weights_sha256);
    s["train.layers"] = std::string(kNoisy);
    s["train.out"] = file;
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == 12; };
    CHECK(run(s, stopping).interrupted);
    const TrainResult resumed = run({{"train.rule", std::string(rule)}, {"train.resume", file}});
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.test_accuracy == whole.test_accuracy);
  }
}

TEST_CASE("layers that no rule moves are written once, whatever the batch, and are the same after a resume") {
  const TemporaryFolder folder;
  for (const std::string rule : {"ridge", "mask"}) {
    INFO(rule);
    const TrainSettings asked{{"train.rule", rule}, {"train.layers", std::string(kNoisy)}};
    TrainSettings few = asked, stored = asked;
    std::int64_t writes = 0;
    TrainObserver planning;
    planning.on_plan = [&](const TrainPlan& plan) {
      writes = plan.device_writes;
      return true;
    };
    const TrainResult whole = run(asked, planning);
    CHECK(writes == 3);  // one for each layer
    few["train.batch"] = std::int64_t{250};
    if (rule == "ridge") {  // one answer to all samples, whichever came together
      CHECK(run(few).device_joules == Approx(whole.device_joules).epsilon(1e-9));
    }
    stored["train.out"] = folder / (rule + ".h5");
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == 12; };
    CHECK(run(stored, stopping).interrupted);
    const TrainResult resumed = run({{"train.rule", rule}, {"train.resume", folder / (rule + ".h5")}});
    CHECK(resumed.test_accuracy == whole.test_accuracy);
    CHECK(resumed.epochs.back().test_loss == whole.epochs.back().test_loss);
  }
}

TEST_CASE("convolutions run on devices, which are shown their patches, whatever the rule") {
  Registry registry;
  add_devices(registry);
  const TrainTest data = make_digits(1, 300, 150);
  const char* const net = "conv 6 5 stride=3, batch_norm, tanh | conv 8 3 stride=2, tanh | flatten, dense classes";
  for (const char* rule : {"bp", "dfa", "local"}) {
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    TrainSettings s{{"train.net", net}, {"train.rule", std::string(rule)}, {"train.epochs", std::int64_t{3}},
                    {"train.lr", 1e-2}, {"train.batch", std::int64_t{50}}, {"train.alignment_every", std::int64_t{0}}};
    const double digital = train(s, data, registry).test_accuracy;
    s["train.layers"] = std::string("sim:crossbar,preset=ideal,weight.bits=12,adc.bits=12");
    const TrainResult there = train(s, data, registry, observer);
    INFO(rule << " " << digital);
    CHECK(digital > 0.3);  // chance is 0.1
    CHECK(std::fabs(there.test_accuracy - digital) < 0.15);
    CHECK(plan.frames_shown_once == (18 * 50 + 3 * 150) * (100 + 25 + 1) + 3 * 64);  // steps, scores, calibrations
    CHECK(there.device_frames >= plan.frames_shown_once);
    CHECK(there.device_frames <= plan.device_frames);
    CHECK(static_cast<double>(there.device_frames) < 1.001 * static_cast<double>(plan.frames_shown_once));
  }
}

TEST_CASE("weights of two values are written as such, and a network of them answers and learns on devices") {
  const TrainTest data = cluster_task();
  Registry registry;
  add_devices(registry);
  for (const char* text :
       {"binary_dense 24, tanh | dense classes", "biper_dense 24 frequency=10, tanh | dense classes"}) {
    INFO(text);
    Network net = network_for(text, Activation::tanh, data.train);
    net.initialise(3);
    AnalogNetwork layers(registry, {.device = "sim:crossbar,preset=ideal,dac.bits=12,adc.bits=14"}, net);
    layers.program(net);
    Matrix<float> x(50, 20);
    Stream(4, 0, Purpose::user).uniform(0, 0, x.flat());
    Activations wanted, found;
    wanted.h.resize(1);
    wanted.h[0] = x;
    forward(net, x, wanted);
    layers.forward(net, x, found);
    double error = 0, size = 0;
    for (Index i = 0; i < wanted.h.back().size(); ++i) {
      error += std::pow(double(found.h.back().data()[i] - wanted.h.back().data()[i]), 2);
      size += std::pow(double(wanted.h.back().data()[i]), 2);
    }
    CHECK(std::sqrt(error / size) < 0.02);  // codes of weights, inputs and outputs: some parts in a thousand each
    const TrainResult learnt = run({{"train.net", std::string(text)}, {"train.epochs", std::int64_t{5}}});
    CHECK(learnt.test_accuracy > 0.4);  // chance is 0.2
  }
}

TEST_CASE("a net trained with noise on its weights is put on devices without it, learns there and resumes to the bit") {
  const TrainTest data = cluster_task();
  Registry registry;
  add_devices(registry);
  const std::string noisy =
      "weights(dense 24, tanh; clamp, precision 16, noise gaussian leakage=0.5 precision=16) | "
      "weights(dense classes; norm inf, precision 8 stochastic)";
  const std::string still =
      "weights(dense 24, tanh; clamp, precision 16) | weights(dense classes; norm inf, precision 8)";
  Network net = network_for(noisy, Activation::tanh, data.train),
          same = network_for(still, Activation::tanh, data.train);
  net.initialise(3);
  std::ranges::copy(net.parameters(), same.parameters().begin());
  AnalogNetwork layers(registry, {.device = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16"}, net);
  layers.program(net);
  const double there = layers.evaluate(net, data.test).loss;
  CHECK(there == Approx(evaluate(same, data.test).loss).epsilon(2e-3));  // converters
  CHECK(there != Approx(evaluate(net, data.test).loss).epsilon(5e-3));   // in memory its noise is drawn

  const TemporaryFolder folder;
  TrainSettings s{{"train.net", noisy}, {"train.epochs", std::int64_t{5}}};
  const TrainResult learnt = run(s);
  CHECK(learnt.test_accuracy > 0.4);  // chance is 0.2
  s["train.out"] = folder / "noisy.h5";
  TrainObserver stopping;
  stopping.stop = [steps = 0]() mutable { return ++steps == 7; };
  CHECK(run(s, stopping).interrupted);
  s["train.resume"] = s.at("train.out");
  s.erase("train.out");
  CHECK(run(s).weights_sha256 == learnt.weights_sha256);
}

TEST_CASE("noise words of signals can be left to the device") {
  Registry registry;
  add_devices(registry);
  Network net(parse_model("20 | dense 24, tanh, noise gaussian std=0.5 | dense 5", {})),
      plain(parse_model("20 | dense 24, tanh | dense 5", {}));
  net.initialise(3);
  std::ranges::copy(net.parameters(), plain.parameters().begin());
  const Dataset data = clusters(300, 3);
  const auto loss = [&](const Network& of, const char* words) {
    AnalogNetwork layers(registry,
                         {.device = "sim:crossbar,preset=ideal,weight.bits=12,adc.bits=12",
                          .layer = {{"noise_words", std::string(words)}}},
                         of);
    layers.program(of);
    return layers.evaluate(of, data).loss;
  };
  CHECK(loss(net, "leave_out") == loss(plain, "keep"));
  CHECK(loss(net, "keep") != Approx(loss(plain, "keep")).epsilon(1e-3));
}

TEST_CASE("layers on graphs and attention make their products on devices") {
  Registry registry;
  add_devices(registry);
  constexpr const char* kFine = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=30";
  struct Case {
    const char* net;
    TrainTest data;
    std::int64_t frames;  ///< a sample at least
  };
  const TrainTest letters = coin_text(8);
  for (const auto& [net, data, frames] :
       {Case{"gcn 16, relu | gcn classes", citations(), 2}, Case{"sage 16, relu | sage classes", citations(), 4},
        Case{"gat 16 2, relu | gat classes 1", citations(), 2}, Case{"char-transformer:16x1", letters, 5 * 8}}) {
    INFO(net);
    TrainSettings s{{"train.net", std::string(net)},
                    {"train.rule", std::string("bp")},
                    {"train.lr", 0.01},
                    {"train.epochs", std::int64_t{3}},
                    {"train.alignment_every", std::int64_t{0}}};
    const TrainResult digital = train(s, data, registry);
    AnalogNetwork fine(registry, {.device = kFine}, digital.net);
    fine.program(digital.net);
    const double there = fine.evaluate(digital.net, data.test).loss, here = evaluate(digital.net, data.test).loss;
    CHECK(there == Approx(here).epsilon(0.02));
    CHECK(there != here);
    s["train.layers"] = std::string("sim:crossbar,output_noise=0.1");
    const TrainResult noisy = train(s, data, registry);
    CHECK(noisy.epochs.back().train_loss < noisy.epochs.front().train_loss);
    CHECK(noisy.device_frames >= 3 * frames * data.train.size());
  }
}

TEST_CASE("validation runs on the devices too") {
  Registry registry;
  add_devices(registry);
  TrainTest data{clusters(200, 1, 10, 12), clusters(300, 2, 10, 12)};
  data.validation = data.test;
  const TrainResult result = train({{"train.net", "10-16-12"},
                                    {"train.rule", "bp"},
                                    {"train.epochs", std::int64_t{1}},
                                    {"train.lr", 1e-2},
                                    {"train.layers", std::string(kWorn)}},
                                   data, registry);
  CHECK(result.epochs[0].validation_accuracy == result.test_accuracy);
  CHECK(evaluate(result.net, data.test).accuracy != result.test_accuracy);
}

TEST_CASE("learned input ranges move with training, whatever the rule, and resume to the bit") {
  const TemporaryFolder folder;
  for (const char* rule : {"bp", "dfa"}) {
    const TrainSettings learned{{"layer.noise_management", std::string("learned")},
                                {"train.layers", std::string("sim:crossbar")},
                                {"train.rule", std::string(rule)}};
    const auto with = [&](const TrainSettings& more, const TrainObserver& observer = {}) {
      TrainSettings s = learned;
      for (const auto& [key, value] : more) s[key] = value;
      return run(s, observer);
    };
    const TrainResult whole = with({});
    CHECK(whole.test_accuracy > with({{"layer.noise_management", std::string("abs_max")}}).test_accuracy - 0.05);
    CHECK(whole.weights_sha256 != with({{"layer.noise_management", std::string("fixed")}}).weights_sha256);
    TrainObserver observer;
    int steps = 0;
    observer.stop = [&] { return ++steps == 9; };
    const std::string path = folder / (std::string(rule) + ".h5");
    with({{"train.out", path}}, observer);
    CHECK(with({{"train.resume", path}}).weights_sha256 == whole.weights_sha256);
  }
}

TEST_CASE("settings of layers without layers, and layers of a device that is none, are refused") {
  CHECK_THROWS_AS(run({{"train.layers", std::string()}, {"layer.cells", std::string("offset")}}), InvalidParameter);
  CHECK_THROWS_AS(run({{"train.layers", std::string("sim:opu")}}), Unsupported);
  CHECK_THROWS_AS(run({{"layer.cell", std::string("offset")}}), UnknownName);
  for (const char* rule : {"spsa", "pepg", "ff"})
    CHECK_THROWS_WITH(run({{"train.rule", std::string(rule)}, {"layer.noise_management", std::string("learned")}}),
                      Catch::Contains("signals"));
  CHECK_THROWS_WITH(run({{"train.rule", std::string("node_perturbation")}, {"rule.recompute", true}}),
                    Catch::Contains("rule.recompute"));
}

TEST_CASE("phases learn in place what a chip's splitters do: on it they beat the weights they began as, and resume") {
  // Splitters 0.15 rad off, uncorrected: what arrives is no matrix that was asked for. Weights trained in memory, put
  // on the chip, lose; phases that go on from there by the twin's gradients (which knows no splitter) win it back.
  const TemporaryFolder folder;
  const std::string chip =
      "sim:mzi_mesh,correction=none,splitter_error=0.15,phase.law=linear,phase.bits=14,crosstalk=0,phase_error=0.002";
  const TrainTest data{clusters(800, 1, 8, 6), clusters(1000, 2, 8, 6)};
  Registry registry;
  add_devices(registry);
  TrainSettings s{{"train.net", "8-8-6"},
                  {"train.rule", "bp"},
                  {"train.epochs", std::int64_t{10}},
                  {"train.lr", 1e-2},
                  {"train.batch", std::int64_t{100}}};
  const Network plain = train(s, data, registry).net;
  AnalogNetwork put(registry, {.device = chip, .settings = {{"seed", std::int64_t{1}}}}, plain);
  put.program(plain);
  const double deployed = put.evaluate(plain, data.test).accuracy;
  s["train.layers"] = chip;
  s["layer.update"] = std::string("programme");
  s["layer.weight_limit"] = 6.0;
  s["train.out"] = folder / "whole.h5";
  const TrainResult whole = train(s, data, registry);
  INFO("in memory " << evaluate(plain, data.test).accuracy << ", deployed " << deployed << ", learnt in place "
                    << whole.test_accuracy);
  CHECK(whole.test_accuracy > deployed + 0.05);

  TrainObserver observer;
  int steps = 0;
  observer.stop = [&] { return ++steps == 11; };
  s["train.out"] = folder / "part.h5";
  train(s, data, registry, observer);
  const TrainResult resumed = train({{"train.resume", folder / "part.h5"}, {"train.layers", chip}}, data, registry);
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);

  s.erase("train.out");
  s["layer.weight_limit"] = 0.0;
  CHECK_THROWS_AS(train(s, data, registry), InvalidParameter);
  s["layer.weight_limit"] = 6.0;
  s["train.rule"] = std::string("node_perturbation");
  CHECK_THROWS_AS(train(s, data, registry), Unsupported);
  s["train.rule"] = std::string("bp");
  for (const auto& [key, value] :
       TrainSettings{{"train.weight_decay", 1e-3}, {"train.optimizer", std::string("sgd")}, {"train.beta1", 0.5}}) {
    TrainSettings other = s;
    other[key] = value;
    CHECK_THROWS_WITH(train(other, data, registry), Catch::Contains(key) && Catch::Contains("programme"));
  }
}

TEST_CASE("a layer of phases that was never taught is there again after a resume") {
  const TemporaryFolder folder;
  const TrainTest data{clusters(200, 1, 8, 6), clusters(500, 2, 8, 6)};
  Registry registry;
  add_devices(registry);
  TrainSettings s{{"train.net", "8-8-6"},
                  {"train.rule", "tdfa"},
                  {"rule.dead_zone", 1.0},
                  {"train.epochs", std::int64_t{2}},
                  {"train.batch", std::int64_t{100}},
                  {"train.layers", std::string("sim:mzi_mesh,phase.law=linear")},
                  {"layer.update", std::string("programme")},
                  {"layer.weight_limit", 6.0}};
  const TrainResult whole = train(s, data, registry);
  TrainObserver observer;
  observer.stop = [steps = 0]() mutable { return ++steps == 2; };
  s["train.out"] = folder / "part.h5";
  train(s, data, registry, observer);
  const TrainResult resumed = train({{"train.resume", folder / "part.h5"}, {"train.rule", "tdfa"}}, data, registry);
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);
}

TEST_CASE("a run that fails before its first step has ended leaves no file behind") {
  const TemporaryFolder folder;
  const std::string out = folder / "dark.h5";
  const TrainSettings dark{
      {"train.layers", std::string("sim:mzi_mesh,loss=0.9,output_noise=0,vacuum_noise=false,adc.bits=6")},
      {"train.out", out}};
  CHECK_THROWS_AS(run(dark), CalibrationError);
  CHECK(run_state(out) == RunState::missing);
}

TEST_CASE("ranges and phases learn from one pass: no gradient sees what another one has moved") {
  const std::string mesh =
      "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,adc.bits=6,"
      "phase.bits=16,phase.law=linear";
  Registry registry;
  add_devices(registry);
  Network net({4, 4}, Activation::tanh);
  net.initialise(3);
  const AnalogPlace place{
      .device = mesh,
      .layer = {{"update", std::string("programme")}, {"weight_limit", 8.0}, {"output_range", std::string("learned")}}};
  AnalogNetwork layers(registry, place, net);
  layers.program(net);
  const Dataset data = clusters(20, 1, 4, 4);
  Matrix<float> x(20, 4), signal(20, 4);
  std::vector<std::uint32_t> all(20);
  for (std::uint32_t i = 0; i < 20; ++i) all[i] = i;
  data.gather(all, x);
  for (Index r = 0; r < 20; ++r) signal(r, r % 4) = r % 3 == 0 ? 1.0f : -0.7f;
  // The rounding that the gradient of the range is made of is another after the phases have moved.
  constexpr double kRate = 0.1, kMemory = 0.9;
  TiledLayer& product = layers.product(0);
  const auto slope = [&] { return product.output_factor() * product.output_factor_gradient(x, signal) / 20; };
  const double first = slope();
  REQUIRE(first != 0);
  layers.learn(0, x, signal, kRate);
  const double between = product.output_factor();
  CHECK(std::log(between) == Approx(-std::copysign(kRate, first)).epsilon(1e-6));
  const double second = slope();
  layers.learn(0, x, signal, kRate);
  const double rms = std::sqrt((1 - kMemory) * (kMemory * first * first + second * second) / (1 - kMemory * kMemory));
  CHECK(std::log(product.output_factor() / between) == Approx(-kRate * second / rms).epsilon(1e-6));

  const std::vector<std::byte> state = layers.snapshot();
  AnalogNetwork again(registry, place, net);
  again.restore(state);
  CHECK(again.snapshot() == state);  // a resume that ends before its first step loses nothing
}

TEST_CASE("the score of a net with noise does not depend on batches: in memory, on devices, by a rule's own answer") {
  Network net(parse_model("20 | dense 24, tanh, noise gaussian std=0.5 | dense 5", {}));
  net.initialise(3);
  const Dataset data = clusters(1200, 3);  // two full batches and a part
  const auto cut = [&](const ForwardPass& pass) { return evaluate(net, data, Loss::cross_entropy, pass, 70).loss; };
  const double here = evaluate(net, data).loss;
  const double in_parts = cut([&](View<const float> x, std::uint64_t first, Activations& out) {
    lightloop::forward(net, x, out, {.first_sample = first});
  });
  CHECK(in_parts == Approx(here).epsilon(1e-9));
  const double repeated =
      cut([&](View<const float> x, std::uint64_t, Activations& out) { lightloop::forward(net, x, out); });
  CHECK(repeated != Approx(here).epsilon(1e-6));  // the same noise in every batch is another score

  Registry registry;
  add_devices(registry);
  AnalogNetwork layers(registry, {.device = "sim:crossbar,preset=ideal,weight.bits=12,adc.bits=12"}, net);
  layers.program(net);
  const double there = layers.evaluate(net, data).loss;
  const double shown = cut([&](View<const float> x, std::uint64_t first, Activations& out) {
    layers.forward(net, x, out, {.first_sample = first});
  });
  CHECK(shown == Approx(there).epsilon(1e-9));

  ParamSet params("rule local", rule("local").info.params);
  params.set({{"answer", std::string("sum")}});
  for (AnalogNetwork* place : {static_cast<AnalogNetwork*>(nullptr), &layers}) {
    const auto answers = rule("local").make({net, 1, params, nullptr, place});
    const double by_rule = place ? place->evaluate(net, data, Loss::cross_entropy, answers.get()).loss
                                 : evaluate(net, data, Loss::cross_entropy, answers.get()).loss;
    const double asked = cut([&](View<const float> x, std::uint64_t first, Activations& out) {
      answer_by_rule(*answers, net, x, first, out);
    });
    CHECK(asked == Approx(by_rule).epsilon(1e-9));
  }
}

TEST_CASE("trials of a net with noise draw it by the number of their samples") {
  Network net(parse_model("20 | dense 24, tanh, noise gaussian std=0.5 | dense 5", {}));
  net.initialise(3);
  const Dataset data = clusters(50, 3);
  Activations shown;
  shown.h.resize(3);
  shown.h[0].resize(50, 20);
  std::vector<std::uint32_t> all(50);
  for (std::uint32_t i = 0; i < 50; ++i) all[i] = i;
  data.gather(all, shown.h[0]);
  ParamSet params("rule spsa", rule("spsa").info.params);
  const auto spsa = rule("spsa").make({net, 1, params, nullptr, nullptr});
  std::vector<float> g(net.parameters().size());
  const auto loss = [&](std::uint64_t first_sample) {
    const RuleBatch batch{.activations = shown, .error = {}, .labels = data.labels, .first_sample = first_sample};
    spsa->gradient(net, batch, g);
    return spsa->loss();
  };
  const double first = loss(0);
  CHECK(loss(50) != first);
  CHECK(loss(0) == first);
}
