// Instruments that bring no twin learn through the one of another device string (layer.twin).
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"

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
