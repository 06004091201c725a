// Every device of the catalogue keeps the contract, with its defaults and with every preset, and its twin is what it
// claims to be.
#include "driver/api/conformance.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"

namespace lightloop {
namespace {

Registry catalogue() {
  Registry registry;
  add_devices(registry);
  return registry;
}

Matrix<float> random_codes(Index rows, Index cols, double low, double high, std::uint64_t set) {
  Matrix<float> codes(rows, cols);
  for (Index r = 0; r < rows; ++r) {
    Stream(11, set, Purpose::user).uniform(static_cast<std::uint64_t>(r), 0, codes.row(r));
    for (float& code : codes.row(r)) code = static_cast<float>(low + (high - low) * code);
  }
  return codes;
}

double dot(const Matrix<float>& a, const Matrix<float>& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += double(a.data()[i]) * b.data()[i];
  return sum;
}

/// <g, f(p + h d) - f(p - h d)> / 2h for the twin as a function of x (theta fixed) or of theta (x fixed).
double directional(Twin& twin, Matrix<float> x, Matrix<float> theta, const Matrix<float>& direction, bool along_theta,
                   const Matrix<float>& g) {
  constexpr float h = 1.0f;  // one code: small against the range, large against rounding in single precision
  Matrix<float> y(x.rows(), twin.outputs());
  double difference = 0;
  for (const float sign : {1.0f, -1.0f}) {
    Matrix<float> moved = along_theta ? theta : x;
    for (Index i = 0; i < moved.size(); ++i) moved.data()[i] += sign * h * direction.data()[i];
    if (twin.parameters() > 0) twin.program(along_theta ? moved : theta);
    twin.forward(along_theta ? x : moved, y);
    difference += sign * dot(g, y);
  }
  return difference / (2 * h);
}

}  // namespace

TEST_CASE("every device of the catalogue keeps the contract") {
  const Registry registry = catalogue();
  REQUIRE_FALSE(registry.models().empty());
  for (const DeviceModel& model : registry.models()) {
    const bool programmable = registry.open("sim:" + model.name)->describe().program.has_value();
    for (const CheckResult& result :
         check_device([&](const Settings& settings) { return registry.open("sim:" + model.name, settings); })) {
      INFO("sim:" << model.name << ": " << result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
      if (programmable && result.name.starts_with("a restored snapshot brings its programme back"))
        CHECK(result.outcome == CheckResult::Outcome::passed);
    }
  }
}

TEST_CASE("layers with converters of few levels keep the contract") {
  const Registry registry = catalogue();
  int with = 0;
  for (const DeviceModel& model : registry.models()) {
    if (std::ranges::find(model.params, "adc.levels", &ParamInfo::name) == model.params.end()) continue;
    ++with;
    const auto coarse = [&](const Settings& settings) {
      return registry.open("sim:" + model.name + ",dac.levels=63,adc.levels=63", settings);
    };
    for (const CheckResult& result : check_device(coarse)) {
      INFO("sim:" << model.name << ": " << result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
    }
  }
  CHECK(with >= 5);
}

TEST_CASE("every preset opens, and its device describes itself as the record does") {
  const Registry registry = catalogue();
  for (const DeviceModel& model : registry.models()) {
    CHECK(registry.open("sim:" + model.name)->describe().kind == model.kind);
    CHECK(registry.open("sim:" + model.name)->describe().model == "sim:" + model.name);
    for (const auto& [name, settings] : model.presets) {
      INFO("sim:" << model.name << ",preset=" << name);
      CHECK_NOTHROW(registry.open("sim:" + model.name + ",preset=" + name)->close());
    }
  }
}

TEST_CASE("every record is documented") {
  const Registry registry = catalogue();
  for (const DeviceModel& model : registry.models()) {
    INFO(model.name);
    CHECK_FALSE(model.summary.empty());
    CHECK_FALSE(model.source.empty());
    std::set<std::string> names;
    for (const ParamInfo& info : model.params) {
      INFO(info.name);
      CHECK(names.insert(info.name).second);
      CHECK_FALSE(info.help.empty());
    }
    CHECK(names.count("seed") == 1);
  }
}

TEST_CASE("the gradients of every twin agree with finite differences") {
  const Registry registry = catalogue();
  for (const DeviceModel& model : registry.models()) {
    if (!model.twin) continue;
    INFO(model.name);
    const auto device = registry.open("sim:" + model.name);
    const auto twin = registry.twin("sim:" + model.name);
    const DeviceInfo& info = device->describe();
    REQUIRE(twin->inputs() == info.input.size());
    REQUIRE(twin->outputs() == info.output.size());
    REQUIRE(twin->parameters() == (info.program ? info.program->size() : 0));
    const double top = info.input.highest();
    const Matrix<float> x = random_codes(3, twin->inputs(), 0.25 * top, 0.75 * top, 1);
    const double top_theta = info.program ? info.program->highest() : 0;
    const Matrix<float> theta = random_codes(1, twin->parameters(), 0.25 * top_theta, 0.75 * top_theta, 2);
    const Matrix<float> g = random_codes(3, twin->outputs(), -1, 1, 3);
    if (twin->parameters() > 0) twin->program(theta);
    Matrix<float> grad_x(3, twin->inputs()), grad_theta(1, twin->parameters());
    twin->vjp(x, g, grad_x, grad_theta);
    const Matrix<float> dx = random_codes(3, twin->inputs(), -1, 1, 4);
    CHECK(dot(grad_x, dx) == Approx(directional(*twin, x, theta, dx, false, g)).epsilon(1e-2));
    if (twin->parameters() == 0) continue;
    const Matrix<float> dtheta = random_codes(1, twin->parameters(), -1, 1, 5);
    CHECK(dot(grad_theta, dtheta) == Approx(directional(*twin, x, theta, dtheta, true, g)).epsilon(1e-2));
  }
}

}  // namespace lightloop
