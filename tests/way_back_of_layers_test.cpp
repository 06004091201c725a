// The way back through devices in networks of any layers, and what devices learn there by themselves.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/model.hpp"
#include "training/loss.hpp"
#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    add_devices(made);
    return made;
  }();
  return all;
}

/// A network on devices, and the gradient of its loss by back-propagation.
struct Placed {
  Network net;
  AnalogNetwork layers;
  Matrix<float> x;
  std::vector<std::uint8_t> labels;
  Matrix<float> error;
  Activations passed;

  Placed(const char* text, const std::string& device, const Settings& layer, Index samples)
      : net(drawn(text)), layers(registry(), {.device = device, .layer = layer}, net) {
    x.resize(samples, net.widths().front());
    for (Index r = 0; r < samples; ++r) {
      Stream(8, 0, Purpose::user).uniform(static_cast<std::uint64_t>(r), 0, x.row(r));
      labels.push_back(static_cast<std::uint8_t>(r % net.classes()));
    }
    error.resize(samples, net.classes());
    layers.program(net);
  }
  static Network drawn(const char* text) {
    Network net(parse_model(text, {}));
    net.initialise(3);
    return net;
  }
  double loss() {
    layers.forward(net, x, passed);
    return output_error(Loss::cross_entropy, passed.h.back(), labels, error) / static_cast<double>(x.rows());
  }
  std::vector<float> gradient() {
    loss();
    std::vector<float> g(net.parameters().size());
    const RuleModel& bp = rule("bp");
    layers.teach([&] {
      bp.make({net, 1, ParamSet("rule bp", bp.info.params)})
          ->gradient(net, {passed, error, labels, Loss::cross_entropy}, g);
    });
    return g;
  }
};

/// Distance of `a` from `b` over the size of `b`, of the parameters named.
double apart(const std::vector<float>& a, const std::vector<float>& b, const std::vector<std::size_t>& which) {
  double off = 0, size = 0;
  for (const std::size_t i : which) {
    off += std::pow(double(a[i]) - double(b[i]), 2);
    size += std::pow(double(b[i]), 2);
  }
  return std::sqrt(off / size);
}

std::vector<std::size_t> all_of(std::size_t count) {
  std::vector<std::size_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

TrainResult learn(const TrainSettings& more, const TrainTest& data, const TrainObserver& observer = {}) {
  TrainSettings s{{"train.rule", "bp"},
                  {"train.epochs", std::int64_t{3}},
                  {"train.lr", 1e-2},
                  {"train.batch", std::int64_t{50}},
                  {"train.alignment_every", std::int64_t{3}}};
  for (const auto& [key, value] : more) s[key] = value;
  return train(s, data, registry(), observer);
}

constexpr const char* kConvolutions =
    "conv 6 5 stride=3, batch_norm, tanh | conv 8 3 stride=2, tanh | flatten, dense classes";
constexpr const char* kGroups =
    "conv 4 5 stride=3, tanh | depthwise 3 stride=2, tanh, conv 6 1 groups=2, tanh | flatten, dense classes";

}  // namespace

TEST_CASE("through the twins of convolutions and dense layers goes what the devices' own answers say, by differences") {
  // Lossy triangles of interferometers: what arrives is not W times a number. The offsets of a layer are digital and
  // reach the loss through the devices of the layers above it alone.
  const std::string device =
      "sim:mzi_mesh,mesh.layout=reck,splitter_error=0,phase_error=0,crosstalk=0,loss=0.05,vacuum_noise=false,"
      "output_noise=0,adc.bits=16,dac.bits=16,phase.bits=16,correction=none";
  const char* const text =
      "6x6x1 | conv 3 3, tanh, residual(conv 3 1, tanh) | conv 4 2 stride=2, tanh | flatten, dense 6, tanh, dense 4";
  const auto with = [&](const char* way) {
    return Placed(text, device,
                  {{"backward", std::string(way)},
                   {"noise_management", std::string("fixed")},
                   {"input_range", 2.0},
                   {"output_range", std::string("measured")}},
                  24);
  };
  Placed twin = with("twin");
  const std::vector<float> by_twin = twin.gradient(), by_device = with("device").gradient(),
                           by_weights = with("weights").gradient();
  std::vector<std::size_t> offsets;
  for (const WeightMatrix& one : matrices_of(twin.net))
    for (Index i = 0; i < one.outputs; ++i)
      offsets.push_back(static_cast<std::size_t>(one.offset + one.outputs * one.inputs + i));
  std::vector<float> slopes(by_twin.size());
  constexpr float kStep = 0.05f;  // far above the converters' rounding
  for (const std::size_t i : offsets) {
    float& b = twin.net.parameters()[i];
    const float before = b;
    b = before + kStep;
    const double up = twin.loss();
    b = before - kStep;
    slopes[i] = static_cast<float>((up - twin.loss()) / (2 * static_cast<double>(kStep)));
    b = before;
  }
  CHECK(apart(by_device, by_twin, offsets) < 0.01);
  CHECK(apart(by_twin, slopes, offsets) < 0.05);  // curvature within the steps, rounding at their ends
  CHECK(apart(by_device, slopes, offsets) < 0.05);
  CHECK(apart(by_weights, slopes, offsets) > 0.1);
}

TEST_CASE("on devices that are the matrices that were asked for, all ways back are that of the weights") {
  const std::string fine =
      "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=60,input.size=40,output.size=12";
  for (const char* text :
       {"6x6x1 | conv 3 3, tanh | conv 4 1, tanh, residual(conv 4 3 pad=1; conv 4 1) | flatten, dense 4",
        "6x6x2 | conv 6 3 stride=2 groups=2, tanh | depthwise 3, conv 4 1 groups=2 | flatten, dense 4",
        "6x6x1 | weights(conv 4 3; precision 8, noise gaussian std=0.3), tanh | flatten, weights(dense 4; clamp)",
        "6x6x4 | weights(depthwise 3; norm inf, dropout 0.2), tanh | flatten, weights(dense 4; norm inf)",
        "6x6x1 | flatten, dense 16, gelu | binary_dense 12, tanh | dense 4",
        "8x6 | attention 2, layer_norm | flatten, dense 4"})
    for (const char* way : {"twin", "device"}) {
      INFO(text << " by " << way);
      const std::vector<float> g = Placed(text, fine, {{"backward", std::string(way)}}, 20).gradient();
      Placed memory(text, fine, {}, 20);
      CHECK(apart(g, memory.gradient(), all_of(g.size())) < 0.02);
      memory.layers.forward(memory.net, memory.x, memory.passed);
    }
}

TEST_CASE("the pieces of a large convolution go back at the running ranges that each of them had") {
  // 24 x 24 patches of 50 numbers: 36 images make a piece
  const char* const text = "28x28x1 | conv 2 1, tanh | conv 2 5 stride=1, tanh | flatten, dense 4";
  const std::string fine = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=60";
  const auto gradient = [&](const char* way, const char* ranges) {
    Placed one(text, fine,
               {{"backward", std::string(way)},
                {"noise_management", std::string(ranges)},
                {"memory", 0.9999},
                {"calibrate", false},
                {"input_range", 0.02}},
               80);
    for (Index r = 0; r < 80; ++r)  // every image lighter than the one before
      for (float& v : one.x.row(r)) v *= 0.02f * static_cast<float>(r);
    return one.gradient();
  };
  const std::vector<float> exact = gradient("weights", "running"), twin = gradient("twin", "running"),
                           whole = gradient("weights", "abs_max");
  CHECK(apart(twin, exact, all_of(exact.size())) < 0.02);
  CHECK(apart(whole, exact, all_of(exact.size())) > 0.1);  // ranges cut much off
}

TEST_CASE("networks of any layers learn through twins and devices, the same bits for any threads and after a resume") {
  const TemporaryFolder folder;
  const TrainTest data = make_digits(1, 300, 150);
  std::vector<std::string> hashes;
  for (const auto& [way, ranges, outputs] : {std::tuple{"weights", "abs_max", "auto"},
                                             {"twin", "running", "auto"},
                                             {"device", "learned", "learned"},
                                             {"weights", "learned", "auto"}}) {
    INFO(way << ", " << ranges << ", " << outputs);
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    TrainSettings s{{"train.net", kConvolutions},
                    {"train.layers", std::string("sim:crossbar,adc.bits=9")},
                    {"layer.backward", std::string(way)},
                    {"layer.noise_management", std::string(ranges)},
                    {"layer.output_range", std::string(outputs)},
                    {"train.threads", std::int64_t{2}}};
    const TrainResult whole = learn(s, data, observer);
    hashes.push_back(whole.weights_sha256);
    CHECK(whole.test_accuracy > 0.3);  // chance is 0.1
    CHECK(whole.device_frames <= plan.device_frames);
    s["train.threads"] = std::int64_t{1};
    CHECK(learn(s, data).weights_sha256 == whole.weights_sha256);
    s["train.out"] = folder / (std::string(way) + ranges + ".h5");
    TrainObserver stopping;
    stopping.stop = [steps = 0]() mutable { return ++steps == 8; };
    CHECK(learn(s, data, stopping).interrupted);
    const TrainResult resumed = learn({{"train.resume", s.at("train.out")}}, data);
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.test_accuracy == whole.test_accuracy);
    CHECK(resumed.device_frames == whole.device_frames);
  }
  std::ranges::sort(hashes);
  CHECK(std::ranges::adjacent_find(hashes) == hashes.end());
}

TEST_CASE("the way back through devices is planned: nothing goes back below the first layer with weights") {
  const TrainTest data = make_digits(1, 300, 150);
  for (const char* net :
       {kConvolutions, kGroups, "flatten, dense 16, tanh | dense classes", "flatten, dense 16, tanh, dense classes"}) {
    INFO(net);
    TrainPlan plan;
    TrainObserver observer;
    observer.on_plan = [&](const TrainPlan& p) {
      plan = p;
      return true;
    };
    const TrainResult there = learn({{"train.net", net},
                                     {"train.layers", std::string("sim:crossbar")},
                                     {"layer.backward", std::string("device")},
                                     {"layer.bound_management", std::string("none")},
                                     {"train.epochs", std::int64_t{1}}},
                                    data, observer);
    CHECK(there.device_frames == plan.device_frames);
  }
}

TEST_CASE("groups of convolutions have devices of their own, forwards, backwards and in learned ranges") {
  // 3 groups of 2 channels, then 9 channels each alone: one device for each, none larger than the group
  const char* const text = "5x5x6 | conv 9 3 groups=3, tanh, depthwise 3 stride=2, tanh | flatten, dense 4";
  const std::string fine = "sim:crossbar,preset=ideal,dac.bits=16,weight.bits=16,adc.bits=16,adc.range=20";
  Placed one(text, fine, {{"backward", std::string("device")}}, 10);
  CHECK(one.layers.devices().opened().size() == 3 + 9 + 1);
  CHECK(one.layers.reports().size() == 3);
  CHECK(analog_layers(one.net) == 3);
  const std::vector<float> g = one.gradient();
  const std::vector<LayerReport> reports = one.layers.reports();
  CHECK(reports[0].vectors == 3 * (64 + 10 * 25));  // calibration, and forwards: nothing goes back below
  CHECK(reports[1].vectors == 9 * (64 + 2 * 10 * 9));
  CHECK(reports[1].macs == 9.0 * 9 * (64 + 2 * 10 * 9));
  // tiles of 9 inputs: 18 x 3 is two of them
  Placed cut(text, fine + ",input.size=9,output.size=4", {}, 10);
  CHECK(cut.layers.devices().opened().size() == 3 * 2 + 9 + 9);
  CHECK(apart(cut.gradient(), g, all_of(g.size())) < 0.02);
  // by differences of the devices' own answers; their converters round
  std::vector<float> slopes(g.size());
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < g.size(); i += 5) {
    which.push_back(i);
    float& w = one.net.parameters()[i];
    const float before = w;
    const auto loss_at = [&](float value) {
      w = value;
      one.layers.program(one.net, true);
      return one.loss();
    };
    const double up = loss_at(before + 0.02f);
    slopes[i] = static_cast<float>((up - loss_at(before - 0.02f)) / 0.04);
    w = before;
  }
  CHECK(apart(g, slopes, which) < 0.03);
  // settings of one layer alone reach all its groups
  const AnalogPlace place = analog_place(fine, {{"device.layer2.adc.bits", std::int64_t{3}}}, analog_layers(one.net));
  AnalogNetwork coarse(registry(), place, one.net);
  std::vector<std::int64_t> bits;
  for (const auto& device : coarse.devices().opened()) bits.push_back(device->session->settings().integer("adc.bits"));
  CHECK(std::ranges::count(bits, 3) == 9);
  CHECK(std::ranges::count(bits, 16) == 4);
}

TEST_CASE("groups learn where ranges cut inputs off and go on to the same bits after a resume") {
  const TemporaryFolder folder;
  const TrainTest data = make_digits(1, 300, 150);
  for (const auto& [way, ranges] :
       {std::pair{"weights", "fixed"}, {"twin", "learned"}, {"device", "running"}, {"weights", "learned"}}) {
    INFO(way << ", " << ranges);
    TrainSettings s{{"train.net", kGroups},
                    {"train.layers", std::string("sim:crossbar,adc.bits=9")},
                    {"layer.backward", std::string(way)},
                    {"layer.noise_management", std::string(ranges)},
                    {"train.threads", std::int64_t{2}}};
    const TrainResult whole = learn(s, data);
    CHECK(whole.test_accuracy > 0.2);  // chance is 0.1
    s["train.threads"] = std::int64_t{1};
    s["train.out"] = folder / (std::string(way) + ranges + ".h5");
    TrainObserver stopping;
    stopping.stop = [steps = 0]() mutable { return ++steps == 8; };
    CHECK(learn(s, data, stopping).interrupted);
    const TrainResult resumed = learn({{"train.resume", s.at("train.out")}}, data);
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.test_accuracy == whole.test_accuracy);
  }
}

TEST_CASE("ranges are learned under rules with signals of their own too, in networks of any layers") {
  const TrainTest data = make_digits(1, 300, 150);
  for (const char* rule : {"fa", "dfa"}) {
    INFO(rule);
    TrainSettings s{{"train.net", kConvolutions},
                    {"train.rule", std::string(rule)},
                    {"train.layers", std::string("sim:crossbar")},
                    {"layer.noise_management", std::string("learned")}};
    const TrainResult learned = learn(s, data);
    CHECK(learned.test_accuracy > 0.2);  // chance is 0.1
    s["layer.noise_management"] = std::string("fixed");
    CHECK(learn(s, data).weights_sha256 != learned.weights_sha256);
    s["layer.backward"] = std::string("twin");
    CHECK_THROWS_AS(learn(s, data), Unsupported);
  }
}

TEST_CASE("phases of convolutions and of trains learn in place and go on to the same bits after a resume") {
  const TemporaryFolder folder;
  const TrainTest data{clusters(400, 1, 16, 4), clusters(500, 2, 16, 4)};
  TrainTest images = make_digits(1, 300, 150);
  struct Case {
    const char *name, *net, *device;
    double limit;
    const TrainTest& data;
  };
  for (const auto& [name, net, device, limit, on] :
       {Case{"conv", kConvolutions,
             "sim:mzi_mesh,correction=none,splitter_error=0.1,phase.law=linear,input.size=16,output.size=16", 6.0,
             images},
        Case{"train", "16-16-4", "sim:tt_rfnn,tt.cores=2,tt.rank=4", 0.0, data},
        Case{"train_of_layers", "flatten, dense 16, tanh | dense classes", "sim:tt_rfnn,tt.cores=2,tt.rank=4", 0.0,
             data}}) {
    INFO(name);
    TrainSettings s{{"train.net", std::string(net)},
                    {"train.layers", std::string(device)},
                    {"layer.update", std::string("programme")},
                    {"layer.weight_limit", limit},
                    {"train.epochs", std::int64_t{4}},
                    {"train.lr", 3e-3}};
    const TrainResult whole = learn(s, on);
    const double chance = 1.0 / static_cast<double>(on.train.classes);  // and three standard errors above it
    CHECK(whole.test_accuracy > chance + 3 * std::sqrt(chance * (1 - chance) / static_cast<double>(on.test.size())));
    CHECK(whole.epochs.back().train_loss < whole.epochs.front().train_loss);
    s["train.out"] = folder / (std::string(name) + ".h5");
    TrainObserver stopping;
    stopping.stop = [steps = 0]() mutable { return ++steps == 8; };
    CHECK(learn(s, on, stopping).interrupted);
    const TrainResult resumed =
        learn({{"train.resume", s.at("train.out")}, {"train.epochs", std::int64_t{4}}, {"train.lr", 3e-3}}, on);
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
    CHECK(resumed.test_accuracy == whole.test_accuracy);
    s.erase("train.out");
    s["layer.weight_limit"] = limit > 0 ? 0.0 : 0.5;
    CHECK_THROWS_WITH(learn(s, on), Catch::Contains("weight_limit"));
  }
  CHECK_THROWS_WITH(learn({{"train.net", std::string("binary_dense 16, tanh | dense classes")},
                           {"train.layers", std::string("sim:mzi_mesh")},
                           {"layer.update", std::string("programme")},
                           {"layer.weight_limit", 6.0}},
                          data),
                    Catch::Contains("two values or levels"));
}
