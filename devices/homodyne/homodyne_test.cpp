#include "devices/homodyne/homodyne.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  registry.add(homodyne::model());
  return registry.open("sim:homodyne,input.size=40,output.size=25,adc.bits=16," + settings);
}

double signed_value(std::uint32_t code, int bits) { return code / std::ldexp(1.0, bits - 1) - 1.0; }

FrameBuffer random_codes(Index size, Index count, std::uint64_t set) {
  FrameBuffer codes(FrameFormat{{size}, 8, ""}, count);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < size; ++i) {
      const double u =
          Stream(3, set, Purpose::user).uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(i));
      codes.frames().set(f, i, static_cast<std::uint32_t>(256 * u));
    }
  return codes;
}

double weight(const FrameBuffer& weights, Index i, Index j) {
  const ConstFrames frames = weights.frames();
  return signed_value(frames.at(0, i * 40 + j), 8);
}

}  // namespace

TEST_CASE("a homodyne product without noise is the rounded product, in both directions") {
  const auto device = open("preset=ideal,adc.range=20");
  const FrameBuffer weights = random_codes(1000, 1, 1);
  device->program(weights.frames());
  for (const bool forward : {true, false}) {
    const Index n_in = forward ? 40 : 25, n_out = 65 - n_in;
    const FrameBuffer in = random_codes(n_in, 7, 2);
    FrameBuffer out(FrameFormat{{n_out}, 16, ""}, 7);
    device->run(in.frames(), out.frames(), {.pass = forward ? Pass::forward : Pass::transposed});
    double worst = 0;
    for (Index f = 0; f < 7; ++f)
      for (Index i = 0; i < n_out; ++i) {
        double y = 0;
        for (Index j = 0; j < n_in; ++j)
          y += (forward ? weight(weights, i, j) : weight(weights, j, i)) * signed_value(in.frames().at(f, j), 8);
        worst = std::max(worst, std::abs(out.frames().at(f, i) - 32768 * (1 + y / 20)));
      }
    CHECK(worst < 0.5 + 2e-2);  // half a code, and single precision
    CHECK(worst > 0.4);
  }
}

// Null: the variance of every output is that of its photons, and outputs do not share noise. Two-sided, alpha 1e-3.
TEST_CASE("a frame's noise is the standard quantum limit of its own drive and weights, in both directions") {
  const auto device = open("preset=quantum_limit,photons.input=2,photons.weight=0.5,adc.range=64");
  const FrameBuffer weights = random_codes(1000, 1, 1);
  device->program(weights.frames());
  for (const bool forward : {true, false}) {
    const Index n_in = forward ? 40 : 25, n_out = 65 - n_in, frames = 800;
    const FrameBuffer one = random_codes(n_in, 1, 2);
    FrameBuffer in(FrameFormat{{n_in}, 8, ""}, frames), out(FrameFormat{{n_out}, 16, ""}, frames);
    for (Index f = 0; f < frames; ++f)
      for (Index j = 0; j < n_in; ++j) in.frames().set(f, j, one.frames().at(0, j));
    device->run(in.frames(), out.frames(), {.pass = forward ? Pass::forward : Pass::transposed});
    double sum = 0, cross = 0;
    std::vector<double> last(static_cast<std::size_t>(frames));
    for (Index i = 0; i < n_out; ++i) {
      double y = 0, photons = 0;
      for (Index j = 0; j < n_in; ++j) {
        const double w = forward ? weight(weights, i, j) : weight(weights, j, i),
                     v = signed_value(one.frames().at(0, j), 8);
        y += w * v;
        photons += 2 * v * v + 0.5 * w * w;
      }
      const double sd = std::sqrt(photons / 4 + std::pow(64.0 / 32768, 2) / 12);  // gain 2 sqrt(2 x 0.5)
      for (Index f = 0; f < frames; ++f) {
        const double z = (64 * signed_value(out.frames().at(f, i), 16) - y) / sd;
        sum += z * z;
        if (i > 0) cross += z * last[static_cast<std::size_t>(f)];
        last[static_cast<std::size_t>(f)] = z;
      }
    }
    const double n = static_cast<double>(n_out * frames);
    CHECK(std::abs(sum - n) / std::sqrt(2 * n) < 3.29);
    CHECK(std::abs(cross) / std::sqrt(n - static_cast<double>(frames)) < 3.29);
  }
}

TEST_CASE("the cost of a frame is its photons and conversions, streamed or held") {
  const auto streamed = open("preset=quantum_limit,photons.input=1e6,photons.weight=0.001");
  const auto held = open("preset=quantum_limit,photons.input=1e6,photons.weight=0.001,multiplexing=space");
  const auto joules = [](const Device& device) { return device.describe().cost.joules(1); };
  const double light = 1000 * 1e6 * 1.2816e-19 / 0.2, symbol = 3.57e-12 + 0.25e-12, adc = 25 * 1.48e-12 * 2;
  CHECK(joules(*held) == Approx(light + 40 * symbol + adc + 25 * 3e-3 * 1e-9).epsilon(1e-3));
  CHECK(joules(*streamed) == Approx(light + 1040 * symbol + adc + 25 * 3e-3 * 40e-9).epsilon(1e-3));
  CHECK(streamed->describe().cost.frame_s == Approx(40e-9));
  CHECK(held->describe().cost.frame_s == Approx(1e-9));
}

}  // namespace lightloop
