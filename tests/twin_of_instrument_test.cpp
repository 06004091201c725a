// Instruments that bring no twin learn through the one of another device string (layer.twin).
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

/// Simulated devices, and "bench:MODEL", the same behind a backend that knows no twins.
const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    add_devices(made);
    const auto inside = [](DeviceAddress address) {
      address.backend = "sim";
      return address;
    };
    Backend bench = [inside](const DeviceAddress& a, const Registry& r) { return r.open(inside(a)); };
    bench.params = [inside](const DeviceAddress& a, const Registry& r) { return r.open_params(to_string(inside(a))); };
    made.add_backend("bench", std::move(bench));
    return made;
  }();
  return all;
}

constexpr const char* kMesh = "mzi_mesh,splitter_error=0.05,correction=none,phase_error=0.01,seed=4";

Network net() {
  Network made({6, 4}, Activation::identity);
  Stream(3, 0, Purpose::user).normal(0, 0, made.parameters());
  return made;
}

struct Learnt {
  Matrix<float> below, answers;
};

/// What goes back through the layer, and what it answers after five steps of its own programme.
Learnt learn(const std::string& device, const Settings& layer) {
  const Network of = net();
  Settings with = {{"update", std::string("programme")}, {"backward", std::string("twin")}, {"weight_limit", 5.0}};
  for (const auto& [key, value] : layer) with[key] = value;
  AnalogNetwork analog(registry(), {.device = device, .layer = with}, of);
  analog.program(of);
  Matrix<float> x(10, 6), delta(10, 4), y(10, 4);
  Stream(5, 0, Purpose::user).normal(0, 0, x.flat());
  Learnt found{Matrix<float>(10, 6), Matrix<float>(10, 4)};
  for (int step = 0; step < 5; ++step) {
    analog.multiply(0, x, y);
    for (Index i = 0; i < y.size(); ++i) delta.data()[i] = y.data()[i] - 0.5f;
    analog.learn(0, x, delta, 0.01);
  }
  analog.backward(0, x, delta, found.below);
  analog.multiply(0, x, found.answers);
  return found;
}

std::string refusal(const std::string& device, const std::string& twin) {
  try {
    learn(device, {{"twin", twin}});
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

bool same(const Matrix<float>& x, const Matrix<float>& y) { return std::ranges::equal(x.flat(), y.flat()); }

}  // namespace

TEST_CASE("an instrument learns through the twin of the simulator that it is, to the same bits as the simulator") {
  const Learnt simulated = learn(std::string("sim:") + kMesh, {});
  const Learnt measured = learn(std::string("bench:") + kMesh, {{"twin", std::string("sim:") + kMesh}});
  CHECK(same(simulated.below, measured.below));
  CHECK(same(simulated.answers, measured.answers));
}

TEST_CASE("a twin of other imperfections is another way back, and the device stays what it is") {
  const std::string bench = std::string("bench:") + kMesh;
  const Learnt fitted = learn(bench, {{"twin", std::string("sim:") + kMesh + ",monitors=true"}});  // of this chip
  const Learnt ideal = learn(bench, {{"twin", std::string("sim:mzi_mesh,splitter_error=0")}});
  CHECK_FALSE(same(fitted.below, ideal.below));
  CHECK_FALSE(same(fitted.answers, ideal.answers));
  // a simulator may be given another twin than its own, too
  const Learnt other = learn(std::string("sim:") + kMesh, {{"twin", std::string("sim:mzi_mesh,splitter_error=0")}});
  CHECK(same(other.below, ideal.below));
}

TEST_CASE("a twin that cannot stand for the instrument is refused with all that differs") {
  using Catch::Contains;
  const std::string bench = std::string("bench:") + kMesh;
  CHECK_THAT(refusal(bench, ""), Contains("layer.twin"));
  CHECK_THAT(refusal(bench, "sim:mzi_mesh,adc.bits=6,adc.range=9"),
             Contains("of 6 bits") && Contains("adc.range 9") && Contains("output") && !Contains("input"));
  CHECK_THAT(refusal(bench, "sim:mzi_mesh,input.size=8"), Contains("input 8 codes") && Contains("6 codes"));
  CHECK_THAT(refusal(bench, "sim:crossbar"), Contains("programme"));
  CHECK_THAT(refusal(bench, "sim:mzi_mesh,mesh.layout=reck"), Contains("mesh.layout reck"));
  CHECK_THAT(refusal(bench, "sim:mzi_mish"), Contains("mzi_mesh"));
  CHECK_THAT(refusal(bench, bench), Contains("brings none"));
}

TEST_CASE("each of several devices may have a twin of its own, and all of them one") {
  Network two({6, 5, 4}, Activation::identity);
  Stream(3, 0, Purpose::user).normal(0, 0, two.parameters());
  const auto taught = [&](const std::string& device, const std::string& twin) {
    Settings with = {{"update", std::string("programme")}, {"weight_limit", 8.0}, {"devices", std::string("each")}};
    if (!twin.empty()) with["twin"] = twin;
    AnalogNetwork analog(registry(), {.device = device, .layer = with}, two);
    analog.program(two);
    Matrix<float> x(10, 6), h(10, 5), delta(10, 5);
    Stream(5, 0, Purpose::user).normal(0, 0, x.flat());
    Stream(6, 0, Purpose::user).normal(0, 0, h.flat());
    analog.learn(0, x, delta, 0.0);
    analog.learn(1, h, Matrix<float>(10, 4), 0.0);
    Matrix<float> y(10, 4);
    std::vector<Matrix<float>> held;
    for (std::size_t l = 0; l < 2; ++l) held.push_back(analog.product(l).programmed());
    return held;
  };
  const std::string chip = "mzi_mesh,splitter_error=0.05,correction=none,monitors=true";
  const auto own = taught("sim:" + chip + ",seed=4", "");
  const auto named = taught("bench:" + chip + ",seed=4", "sim:" + chip + ",seed={4..5}");
  const auto one = taught("bench:" + chip + ",seed=4", "sim:" + chip + ",seed=4");
  CHECK(same(own[0], named[0]));
  CHECK(same(own[1], named[1]));
  CHECK(same(own[0], one[0]));
  CHECK_FALSE(same(own[1], one[1]));  // the twin of another chip
  two = Network({6, 5, 5, 4}, Activation::identity);
  CHECK_THROWS_WITH(taught("bench:" + chip, "sim:" + chip + ",seed={4..5}"),
                    Catch::Contains("layer.twin") && Catch::Contains("2 twins"));
}

TEST_CASE("physics in front of layers learns back through a named twin, to the same bits as through its own") {
  const std::string waves = "wave,encoding=phase,input.size=20,output.size=20,seed=3";
  const auto trained = [&](const std::string& device, const std::string& twin, const std::string& rule = "bp") {
    TrainSettings s{{"train.net", "20-16-5"},
                    {"train.rule", rule},
                    {"train.epochs", std::int64_t{2}},
                    {"train.lr", 1e-2},
                    {"train.map", device}};
    if (!twin.empty()) s["train.map_twin"] = twin;
    return train(s, cluster_task(), registry()).weights_sha256;
  };
  const std::string own = trained("sim:" + waves, "");
  CHECK(trained("bench:" + waves, "sim:" + waves) == own);
  CHECK(trained("sim:" + waves, "sim:" + waves + ",noise=0") == own);
  CHECK(trained("bench:" + waves, "sim:wave,encoding=phase,seed=4") != own);  // sizes are the instrument's
  CHECK_THROWS_WITH(trained("bench:" + waves, ""), Catch::Contains("train.map_twin"));
  CHECK_THROWS_WITH(trained("bench:" + waves, "sim:wave,encoding=phase,input.size=8"),
                    Catch::Contains("train.map_twin") && Catch::Contains("input 8 codes"));
  CHECK_THROWS_WITH(trained("bench:" + waves, "sim:" + waves, "dfa"), Catch::Contains("nothing goes back"));
  CHECK_THROWS_WITH(trained("", "sim:" + waves), Catch::Contains("train.map_twin"));
}
