// A Layer on photonic devices: how far from the product it comes out, and why.
#include <catch2/catch.hpp>
#include <cmath>

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

/// Relative rms error of 200 products by 24 x 40 weights after a calibration.
double error(const std::string& address) {
  Registry registry;
  add_devices(registry);
  const DeviceAddress parsed = parse_address(address);
  Session session(
      registry.open(address, sizes_for_layer(registry.model(parsed.target).params, parsed.settings, {}, 40, 24)),
      address);
  Layer layer(session, 40, 24);
  const Matrix<float> w = uniform(24, 40, 1), x = uniform(200, 40, 2);
  layer.program(w);
  layer.calibrate();
  Matrix<float> y(200, 24);
  layer.forward(x, y);
  CHECK(layer.report().device_j > 0);
  double sum = 0, norm = 0;
  for (Index r = 0; r < 200; ++r)
    for (Index i = 0; i < 24; ++i) {
      double wanted = 0;
      for (Index j = 0; j < 40; ++j) wanted += static_cast<double>(x(r, j)) * static_cast<double>(w(i, j));
      sum += std::pow(static_cast<double>(y(r, i)) - wanted, 2);
      norm += wanted * wanted;
    }
  return std::sqrt(sum / norm);
}

}  // namespace

TEST_CASE("a ring bank is the product to its monitor's precision; without measured weights it is not") {
  const double pid = error("sim:ring_bank,adc.bits=12"), swept = error("sim:ring_bank,adc.bits=12,preset=swept");
  INFO("pid " << pid << ", swept " << swept);
  CHECK(pid < 0.03);
  CHECK(swept > 2 * pid);
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

}  // namespace lightloop
