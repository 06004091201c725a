// Physics in front of chosen layers, in the place of layers of a net, and together with layers on devices.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "tests/physical_for_tests.hpp"
#include "training/analog.hpp"
#include "training/layers/architecture.hpp"
#include "training/physical_maps.hpp"
#include "training/rules/return_path.hpp"
#include "training/run_file.hpp"

using namespace lightloop;
using test::catalogue;
using test::numbers;
using test::train_behind;

namespace {

constexpr const char* kWaves = "sim:wave,input.size=24,output.size=30,encoding=phase";
constexpr const char* kFine = "sim:wave,input.size=24,output.size=30,noise=0,dac.bits=16,adc.bits=16";
constexpr const char* kNet = "physical 28 | dense 24, relu | dense classes";

TrainResult run(const TrainSettings& more, const TrainObserver& observer = {}) {
  TrainSettings s{
      {"train.net", std::string(kNet)}, {"train.rule", std::string("local")}, {"train.epochs", std::int64_t{3}}};
  for (const auto& [key, value] : more) s[key] = value;
  return train_behind(kWaves, s, observer);
}

TrainObserver planned(std::int64_t& frames) {
  TrainObserver observer;
  observer.on_plan = [&frames](const TrainPlan& plan) {
    frames = plan.device_frames;
    return true;
  };
  return observer;
}

Network layers_of(const std::string& text, Index inputs) {
  return Network(parse_model(text, {.input = {inputs}, .classes = 5}));
}

std::unique_ptr<Rule> make(const Network& net, const std::string& name, const Settings& settings = {}) {
  const RuleModel& model = rule(name);
  ParamSet params("rule " + name, model.info.params);
  params.set(settings);
  return model.make({.net = net, .seed = 1, .params = params});
}

/// A batch behind maps that are what their twin says, and the gradient of a rule there.
struct Exact {
  explicit Exact(Network network)
      : net(std::move(network)),
        maps(catalogue(), kFine, {}, net, {.with_twin = true}),
        x(numbers(40, net.widths().front(), 3)) {
    net.initialise(4);
    for (Index r = 0; r < x.rows(); ++r) labels.push_back(static_cast<std::uint8_t>(r % 5));
    maps.forward(net, x, activations, {.training = true});  // calibrates
  }
  double loss() {
    maps.model_forward(net, x, activations, {.training = true});
    error.resize(x.rows(), 5);
    return output_error(Loss::cross_entropy, activations.h.back(), labels, error) / static_cast<double>(x.rows());
  }
  std::vector<float> gradient(Rule& rule) {
    loss();
    const MapBack back = [this](Index layer, View<const float> h, View<const float> dy, View<float> dx) {
      maps.map_back(layer, h, dy, dx);
    };
    std::vector<float> all(net.parameters().size());
    RuleBatch batch{.activations = activations, .error = error, .labels = labels};
    if (!net.model()) batch.map_back = &back;
    rule.gradient(net, batch, all);
    return all;
  }
  /// Worst error of `found` against central differences of the loss at every 7th parameter, over the largest of these.
  double wrong(const std::vector<float>& found) {
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); i += 7) {
      float& w = net.parameters()[i];
      const float at = w, step = 1e-2f;
      w = at + step;
      const double up = loss();
      w = at - step;
      const double down = loss();
      w = at;
      const double slope = (up - down) / (2 * static_cast<double>(step));
      worst = std::max(worst, std::abs(slope - static_cast<double>(found[i])));
      largest = std::max(largest, std::abs(slope));
    }
    return worst / largest;
  }
  Network net;
  PhysicalMaps maps;
  Matrix<float> x, error;
  std::vector<std::uint8_t> labels;
  Activations activations;
};

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double wrong = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    wrong += std::pow(static_cast<double>(a[i] - b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(wrong / size);
}

}  // namespace

TEST_CASE("a map of more outputs than inputs is linear where the device is, and its slope is the twin's") {
  const Registry registry = catalogue();
  const std::string device = std::string(kFine) + ",detection=field";
  const auto session = open_session(registry, device);
  const auto twin = registry.twin(device);
  for (const Index part : {0, 5}) {
    DeviceMap map(*session, 8, 3, part, 21);
    CHECK(map.frames_per_row() == (part == 0 ? 1 : 2));
    const Matrix<float> x = numbers(200, 8, 1);
    map.calibrate(x);
    Matrix<float> y(200, 21), said(200, 21), grad(200, 21), back(200, 8), moved(200, 21);
    map.forward(x, y);
    map.model_forward(*twin, x, said);
    for (Index i = 0; i < y.size(); ++i) CHECK(y.data()[i] == Approx(said.data()[i]).margin(2e-3));
    std::ranges::fill(grad.flat(), 0.0f);
    for (Index r = 0; r < 200; ++r) grad(r, 20) = 1;
    map.backward(*twin, x, grad, back);
    Matrix<float> other = x;
    for (Index r = 0; r < 200; ++r) other(r, 7) += 0.01f;
    map.model_forward(*twin, other, moved);
    for (Index r = 0; r < 200; r += 20) CHECK((moved(r, 20) - said(r, 20)) / 0.01f == Approx(back(r, 7)).margin(0.02));
    DeviceMap again(*session, 8, 3, part, 21), equal(*session, 8, 3, part);
    again.restore(map.snapshot());
    CHECK(again.snapshot() == map.snapshot());
    CHECK_THROWS_AS(equal.restore(map.snapshot()), InvalidParameter);
    map.recalibrate();
    again.forward(x, moved);
    CHECK(std::ranges::equal(y.flat(), moved.flat()));
  }
  CHECK_THROWS_WITH(DeviceMap(*session, 8, 3, 0, 31), Catch::Contains("the device has 30"));
}

TEST_CASE("a net of layers with physics before its dense ones is the net of widths behind a map") {
  Exact widths(Network({20, 24, 16, 5}, Activation::tanh));
  Network net = layers_of("physical, dense 24, tanh | physical, dense 16, tanh | physical, dense 5", 20);
  REQUIRE(net.parameters().size() == widths.net.parameters().size());
  Exact layers(std::move(net));
  std::ranges::copy(widths.net.parameters(), layers.net.parameters().begin());
  layers.maps.restore_calibration(widths.maps.snapshot());
  const auto there = make(widths.net, "bp"), here = make(layers.net, "bp");
  CHECK(widths.loss() == Approx(layers.loss()).epsilon(1e-6));
  CHECK(difference(layers.gradient(*here), widths.gradient(*there)) < 1e-5);
}

TEST_CASE("behind physics with a twin back-propagation is exact, in widths and in layers") {
  Exact widths(Network({20, 24, 16, 5}, Activation::tanh));
  const auto bp = make(widths.net, "bp");
  CHECK(widths.wrong(widths.gradient(*bp)) < 0.01);
  Exact layers(
      layers_of("dense 12, tanh, physical 28 | dense 16, tanh | residual(physical 16, dense 16), dense 5", 20));
  const auto by_layers = make(layers.net, "bp");
  CHECK(layers.wrong(layers.gradient(*by_layers)) < 0.01);
}

TEST_CASE("fa and sign_symmetric behind physics are exact where their matrices are the weights") {
  for (const bool widths : {true, false}) {
    Exact exact(widths
                    ? Network({20, 24, 16, 5}, Activation::tanh)
                    : layers_of("physical, dense 24, tanh | physical 16, dense 16, tanh | physical 22, dense 5", 20));
    const ReturnPath path(exact.net);
    const auto weights = [&](std::size_t k) {
      const ReturnWeights& w = path.places()[k].weights;
      return View<float>(exact.net.parameters().data() + w.offset, w.rows, w.cols);
    };
    for (std::size_t k = 0; k < path.places().size(); ++k) {  // fa's own draws
      const Stream stream(1, path.places()[k].number, Purpose::feedback_matrix);
      for (Index r = 0; r < weights(k).rows(); ++r) {
        stream.normal(static_cast<std::uint64_t>(r), 0, weights(k).row(r));
        for (float& v : weights(k).row(r)) v /= std::sqrt(static_cast<float>(weights(k).cols()));
      }
    }
    const auto bp = make(exact.net, "bp"), fa = make(exact.net, "fa");
    CHECK(difference(exact.gradient(*fa), exact.gradient(*bp)) < 1e-6);
    for (std::size_t k = 0; k < path.places().size(); ++k)
      for (Index r = 0; r < weights(k).rows(); ++r)
        for (float& v : weights(k).row(r)) v = std::copysign(1 / std::sqrt(static_cast<float>(weights(k).cols())), v);
    const auto signs = make(exact.net, "sign_symmetric");
    CHECK(difference(exact.gradient(*signs), exact.gradient(*bp)) < 1e-6);
    CHECK(difference(exact.gradient(*fa), exact.gradient(*bp)) > 0.1);
  }
}

TEST_CASE("a block of NoProp behind physics has the slopes of its loss") {
  // One block: its noisy label is noise alone, drawn by the number of the sample, and its loss the net's.
  for (const bool widths : {true, false}) {
    Exact exact(widths ? Network({20, 24, 16, 5}, Activation::tanh)
                       : layers_of("physical 28 | dense 24, tanh | physical 30, dense 5", 20));
    const RuleModel& model = rule("noprop");
    ParamSet params("rule noprop", model.info.params);
    params.set({{"blocks", std::int64_t{1}}});
    const auto noprop = model.make({.net = exact.net,
                                    .seed = 1,
                                    .params = params,
                                    .layers = widths ? nullptr : &exact.maps,
                                    .map = widths ? exact.maps.as_map() : PhysicalMap()});
    const std::vector<float> found = exact.gradient(*noprop);
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); i += 11) {
      float& w = exact.net.parameters()[i];
      const float at = w, step = 2e-2f;
      double loss[2];
      for (const int side : {0, 1}) {
        w = side ? at + step : at - step;
        exact.gradient(*noprop);
        loss[side] = noprop->loss() / static_cast<double>(exact.x.rows());
      }
      w = at;
      const double slope = (loss[1] - loss[0]) / (2 * static_cast<double>(step));
      worst = std::max(worst, std::abs(slope - static_cast<double>(found[i])));
      largest = std::max(largest, std::abs(slope));
    }
    CHECK(worst / largest < 0.02);  // answers of 16 bits
  }
}

TEST_CASE("rules learn in nets with physical layers, within their plan, and stored runs answer as they did") {
  // far above a guess, which has 0.2; the others, searches and random targets, above it
  const std::set<std::string> far{"bp",
                                  "fa",
                                  "dfa",
                                  "tdfa",
                                  "sdfa",
                                  "adfa",
                                  "sign_symmetric",
                                  "pepita",
                                  "local",
                                  "ff",
                                  "sff",
                                  "ccl",
                                  "lls",
                                  "auglocal",
                                  "ridge",
                                  "noprop",
                                  "phyll",
                                  "node_perturbation",
                                  "forward_gradient",
                                  "reinforce"};
  for (const RuleModel& model : rules()) {
    const RuleInfo& info = model.info;
    if (!info.maps) continue;
    INFO(info.name);
    const TemporaryFolder folder;
    std::int64_t most = 0;
    TrainSettings asked{{"train.rule", info.name}, {"train.out", folder / "run.h5"}};
    if (info.name == "pepg") asked["rule.pairs"] = std::int64_t{4};
    if (info.name == "reinforce")
      asked["train.net"] = std::string("physical 28 | dense 24, stochastic | dense classes");
    const TrainResult result = run(asked, planned(most));
    CHECK(result.test_accuracy > (far.contains(info.name) ? 0.35 : 0.24));
    CHECK(result.device_frames > 0);
    CHECK(result.device_frames <= most);
    if (!info.own_forward) CHECK(result.device_frames == most);
    const RunFile file = load_run(folder / "run.h5");
    PhysicalMaps maps(catalogue(), kWaves, {{"seed", std::int64_t{1}}}, file.net);
    maps.restore(file.map_state);
    const auto answers = answering_rule(file.net, info.name, file.rule.all(), 1, file.own.flat(), &maps);
    const Dataset test = cluster_task().test;
    const Evaluation scored = answers ? evaluate(file.net, test, Loss::cross_entropy, answers.get())
                                      : maps.evaluate(file.net, test, Loss::cross_entropy);
    CHECK(scored.accuracy == Approx(result.test_accuracy).margin(0.02));  // other frames: other noise
  }
}

TEST_CASE("features before the first layer ask for no derivative, those behind weights do") {
  const TemporaryFolder folder;
  for (const char* rule : {"bp", "fa", "noprop"}) {
    INFO(rule);
    const TrainSettings with{{"train.rule", std::string(rule)},
                             {"train.map", std::string("sim:opu,input.size=20,output.size=100")}};
    const auto in = [&](const char* net, const char* at = "") {
      TrainSettings s = with;
      s["train.net"] = std::string(net);
      if (*at) s["train.map_at"] = std::string(at);
      return s;
    };
    CHECK(run(in("physical 100 | dense 24, relu | dense classes")).test_accuracy > 0.5);
    CHECK(run(in("20-24-5", "1")).test_accuracy > 0.35);
    CHECK_THROWS_AS(run(in("dense 20, relu | physical 24 | dense classes")), Unsupported);
    CHECK_THROWS_AS(run(in("20-24-5", "1,2")), Unsupported);
  }
  CHECK_THROWS_AS(run({{"train.net", std::string("dense 20, physical 24, dense 24, relu | dense classes")},
                       {"train.map", std::string("sim:opu,input.size=20,output.size=100")}}),
                  Unsupported);
  CHECK_NOTHROW(run({{"train.net", std::string("dense 20, relu | physical 24, dense 24, relu | dense classes")},
                     {"train.map", std::string("sim:opu,input.size=20,output.size=100")}}));
}

TEST_CASE("NoProp shows fixed features once for all its blocks") {
  for (const char* net : {"physical 28 | dense 24, relu | dense classes", "20-24-5"}) {
    TrainSettings asked{
        {"train.rule", std::string("noprop")}, {"rule.blocks", std::int64_t{7}}, {"train.net", std::string(net)}};
    if (std::string(net) == "20-24-5") asked["train.map_at"] = std::string("1");
    std::int64_t most = 0;
    const TrainResult result = run(asked, planned(most));
    CHECK(result.device_frames == 2 * 100 + 3 * (1000 + 500));  // calibration, training, scores
    CHECK(most == result.device_frames);
  }
}

TEST_CASE("physics in front of chosen layers is asked for these alone") {
  const TrainSettings all{{"train.net", std::string("20-24-16-5")}, {"train.rule", std::string("bp")}};
  const auto at = [&](const char* layers) {
    TrainSettings s = all;
    s["train.map_at"] = std::string(layers);
    return s;
  };
  const TrainResult whole = run(all), named = run(at("3,1,2"));
  CHECK(named.weights_sha256 == whole.weights_sha256);
  std::int64_t most = 0;
  const TrainResult first = run(at("1"), planned(most));
  CHECK(first.device_frames == 2 * 100 + 3 * (1000 + 500));
  CHECK(most == first.device_frames);
  CHECK(3 * first.device_frames == whole.device_frames);
  for (const char* wrong : {"0", "4", "1,", "x", "1;2"}) CHECK_THROWS_AS(run(at(wrong)), Error);
  TrainSettings layers = at("1");
  layers["train.net"] = std::string(kNet);
  CHECK_THROWS_WITH(run(layers), Catch::Contains("says itself"));
  layers.erase("train.map_at");
  layers["train.map"] = std::string();
  CHECK_THROWS_WITH(run(layers), Catch::Contains("train.map"));
}

TEST_CASE("runs with physical layers are the same for any threads and split, and go on where they were stopped") {
  const auto asked =
      GENERATE(TrainSettings{{"train.rule", std::string("bp")}}, TrainSettings{{"train.rule", std::string("noprop")}},
               TrainSettings{{"train.rule", std::string("local")},
                             {"train.layers", std::string("sim:crossbar,input.size=32,output.size=32")}},
               TrainSettings{{"train.rule", std::string("bp")},
                             {"train.net", std::string("20-24-16-5")},
                             {"train.layers", std::string("sim:crossbar,input.size=32,output.size=32")}});
  const TemporaryFolder folder;
  const auto with = [&](const char* key, const Value& value) {
    TrainSettings s = asked;
    s["train.yes"] = true;
    s[key] = value;
    return s;
  };
  std::int64_t most = 0;
  const TrainResult whole = run(with("train.out", folder / "whole.h5"), planned(most));
  CHECK(whole.device_frames <= most);
  CHECK(whole.test_accuracy > 0.35);
  CHECK(run(with("train.threads", std::int64_t{1})).weights_sha256 == whole.weights_sha256);
  TrainObserver observer;
  int steps = 0;
  observer.stop = [&] { return ++steps == 13; };
  CHECK(run(with("train.out", folder / "part.h5"), observer).interrupted);
  const TrainResult resumed = run(with("train.resume", folder / "part.h5"));
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);
  CHECK(resumed.device_frames == whole.device_frames);
  CHECK(resumed.device_writes == whole.device_writes);
  CHECK((whole.device_writes > 0) == !whole.layers.empty());
}

TEST_CASE("layers on exact devices behind physics give what products in memory give") {
  const std::string exact =
      "sim:crossbar,preset=ideal,input.size=32,output.size=32,dac.bits=16,adc.bits=16,weight.bits=16";
  const Registry registry = catalogue();
  for (const bool widths : {true, false}) {
    Exact memory(widths ? Network({20, 24, 16, 5}, Activation::tanh) : layers_of(kNet, 20));
    AnalogNetwork analog(registry, {.device = exact}, memory.net);
    analog.stand_behind(&memory.maps);
    analog.program(memory.net);
    Activations there, here;
    analog.forward(memory.net, memory.x, there);
    memory.maps.forward(memory.net, memory.x, here);
    for (Index i = 0; i < here.h.back().size(); ++i)
      CHECK(there.h.back().data()[i] == Approx(here.h.back().data()[i]).margin(0.02));
  }
}
