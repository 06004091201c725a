// A Layer on photonic devices: how far from the product it comes out, and why.
#include <catch2/catch.hpp>
#include <cmath>
#include <utility>

#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/layer.hpp"

namespace lightloop {
namespace {

Matrix<float> uniform(Index rows, Index cols, std::uint64_t set) {
  Matrix<float> m(rows, cols);
  Stream(5, set, Purpose::user).uniform(0, 0, m.flat());
  for (float& value : m.flat()) value = 2 * value - 1;
  return m;
}

std::unique_ptr<Device> open_for(const std::string& address, Index n_in, Index n_out) {
  Registry registry;
  add_devices(registry);
  const DeviceAddress parsed = parse_address(address);
  return registry.open(address,
                       sizes_for_layer(registry.model(parsed.target).params, parsed.settings, {}, n_in, n_out));
}

double relative_error(const Matrix<float>& y, const Matrix<float>& x, View<const float> w) {
  double sum = 0, norm = 0;
  for (Index r = 0; r < x.rows(); ++r)
    for (Index i = 0; i < w.rows(); ++i) {
      double wanted = 0;
      for (Index j = 0; j < w.cols(); ++j) wanted += static_cast<double>(x(r, j)) * static_cast<double>(w(i, j));
      sum += std::pow(static_cast<double>(y(r, i)) - wanted, 2);
      norm += wanted * wanted;
    }
  return std::sqrt(sum / norm);
}

/// Relative rms error of 200 products by 24 x 40 weights after a calibration.
double error(const std::string& address) {
  Session session(open_for(address, 40, 24), address);
  Layer layer(session, 40, 24);
  const Matrix<float> w = uniform(24, 40, 1), x = uniform(200, 40, 2);
  layer.program(w);
  layer.calibrate();
  Matrix<float> y(200, 24);
  layer.forward(x, y);
  CHECK(layer.report().device_j > 0);
  return relative_error(y, x, w);
}

}  // namespace

TEST_CASE("phases out of reach are counted, and the layer says what it holds instead of the weights") {
  for (const char* model : {"sim:mzi_mesh", "sim:tt_rfnn,tt.rank=16"}) {
    const Matrix<float> w = uniform(8, 8, 1), x = uniform(50, 8, 2);
    for (const bool reach : {true, false}) {
      const std::string address =
          std::string(model) + ",preset=ideal,adc.bits=14,dac.bits=14,phase.range_rad=" + (reach ? "7" : "3");
      INFO(address);
      Session session(open_for(address, 8, 8), address);
      Layer layer(session, 8, 8);
      layer.program(w);
      Matrix<float> y(50, 8);
      layer.forward(x, y);
      CHECK((layer.report().clipped_phases == 0) == reach);
      CHECK(relative_error(y, x, layer.programmed()) < 0.02);
      CHECK((relative_error(y, x, w) < 0.02) == reach);
    }
  }
}

TEST_CASE("correction of splitters reaches what weights leave free of meshes where that is turned at random") {
  const Matrix<float> x = uniform(40, 32, 2);
  const auto squares = [&](const Matrix<float>& w, bool random) {
    double sum = 0;
    for (int seed = 1; seed <= 8; ++seed) {
      const std::string address =
          "sim:mzi_mesh,preset=ideal,adc.bits=16,dac.bits=14,input.size=32,output.size=32,splitter_error=0.02,seed=" +
          std::to_string(seed) + ",correction=splitters";
      Session session(open_for(address, 32, w.rows()), address);
      Layer layer(session, 32, w.rows(), {{"completion", std::string(random ? "random" : "plain")}});
      layer.program(w);
      Matrix<float> y(40, w.rows());
      layer.forward(x, y);
      sum += std::pow(relative_error(y, x, w), 2);
    }
    return sum;
  };
  Matrix<float> identity(32, 32), permutation(32, 32);
  for (Index i = 0; i < 32; ++i) identity(i, i) = permutation(i, (5 * i + 3) % 32) = 1;
  CHECK(squares(identity, true) < squares(identity, false) / 4);
  CHECK(squares(permutation, true) < squares(permutation, false) / 4);
  const Matrix<float> narrow = uniform(5, 32, 1);
  // half of the squares at 64 channels, where a sixth of the rows is used
  CHECK(squares(narrow, true) < squares(narrow, false) / 1.5);
}

TEST_CASE("a ring bank is the product to its monitor's precision, without measured weights it is not") {
  const double pid = error("sim:ring_bank,adc.bits=12"), swept = error("sim:ring_bank,adc.bits=12,preset=swept");
  INFO("pid " << pid << ", swept " << swept);
  CHECK(pid < 0.03);
  CHECK(swept > 2 * pid);
}

// Heaters of a ring bank burn what the weights ask for, so what a frame costs is known only after the programme.
TEST_CASE("a session counts energy by what the device draws as it is programmed") {
  const std::string address = "sim:ring_bank";
  const auto bare = open_for(address, 40, 24);
  Session session(open_for(address, 40, 24), address);
  const double off = session.info().cost.power_w;
  FrameBuffer weights(*session.info().program, 1);
  for (Index i = 0; i < weights.frames().size; ++i)
    weights.frames().set(0, i, static_cast<std::uint32_t>(i) % (session.info().program->highest() + 1));
  bare->program(std::as_const(weights).frames());
  session.program(std::as_const(weights).frames());
  CHECK(session.info().cost.power_w == bare->describe().cost.power_w);
  CHECK(session.info().cost.power_w > 1.1 * off);
  CHECK(session.meter().device_j == bare->describe().cost.program_j);
  CHECK(session.meter().device_j > 0);
}

// y has a variance of 40 / 9; at the quantum limit its noise is (P_x sum v^2 + P_w sum w^2) / (4 P_x P_w) = 40 / 6 / P
// for P photons on both sides, so the relative error is sqrt(1.5 / P). abs_max scaling shrinks P by a few per cent.
TEST_CASE("a homodyne layer errs by the square root of 1.5 over its photons at full amplitude") {
  for (const double photons : {10.0, 1000.0}) {
    const double found =
        error("sim:homodyne,preset=quantum_limit,adc.bits=16,dac.bits=12,weight.bits=12,adc.range=40,photons.input=" +
              std::to_string(photons) + ",photons.weight=" + std::to_string(photons));
    INFO(photons << " photons: " << found);
    CHECK(found / std::sqrt(1.5 / photons) == Approx(1).epsilon(0.06));
  }
}

TEST_CASE("a train of networks holds what its rank leaves of the weights, and says so") {
  const Matrix<float> w = uniform(24, 40, 1), x = uniform(200, 40, 2);
  const auto result = [&](const std::string& settings, const Settings& layer_settings) {
    const std::string address = "sim:tt_rfnn,adc.bits=14,dac.bits=12," + settings;
    Session session(open_for(address, 40, 24), address);
    Layer layer(session, 40, 24, layer_settings);
    layer.program(w);
    layer.calibrate();
    Matrix<float> y(200, 24);
    layer.forward(x, y);
    Matrix<float> held(24, 40);
    for (Index i = 0; i < 24; ++i)
      for (Index j = 0; j < 40; ++j) held(i, j) = layer.programmed()(i, j);
    return std::pair(relative_error(y, x, held), relative_error(y, x, w));
  };
  const auto [to_train, to_weights] = result("preset=ideal,tt.rank=8", {});
  CHECK(to_train < 2e-3);
  CHECK(to_weights > 0.1);  // random weights have no low rank
  const auto full = result("preset=ideal,tt.rank=100", {});
  CHECK(full.second < 2e-3);
  // hardening gives up fit for less error of cores: here too much of it
  const auto hard = result("preset=ideal,tt.rank=8", {{"hardening", 0.7}});
  CHECK(hard.first < 2e-3);
  CHECK(hard.second > to_weights);
}

}  // namespace lightloop
