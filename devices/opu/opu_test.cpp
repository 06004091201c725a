#include "devices/opu/opu.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
using namespace lightloop;

namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  add_devices(registry);
  return registry.open("sim:opu," + settings);
}

// Frames with every third, fourth, ... input on, so that neighbours differ.
FrameBuffer patterns(const Device& device, Index count) {
  FrameBuffer in(device.describe().input, count);
  for (Index f = 0; f < count; ++f)
    for (Index j = 0; j < device.describe().input.size(); ++j) in.frames().set(f, j, (j * (f + 3) + f) % 5 < 2);
  return in;
}

std::vector<std::uint32_t> codes(const FrameBuffer& out) {
  std::vector<std::uint32_t> all;
  const ConstFrames frames = out.frames();
  for (Index f = 0; f < frames.count; ++f)
    for (Index p = 0; p < frames.size; ++p) all.push_back(frames.at(f, p));
  return all;
}

// Shows `count` frames in batches of `split`.
std::vector<std::uint32_t> show(Device& device, Index count, Index split, View<const std::uint16_t> aux = {}) {
  const FrameBuffer in = patterns(device, count);
  FrameBuffer out(device.describe().output, count);
  ConstFrames shown = in.frames();
  shown.aux = aux;
  for (Index first = 0; first < count; first += split) {
    const Index n = std::min(split, count - first);
    RunOptions options;
    options.first_frame_id = static_cast<std::uint64_t>(first);
    device.run(shown.slice(first, n), out.frames().slice(first, n), options);
  }
  return codes(out);
}

}  // namespace

TEST_CASE("the OPU's codes do not depend on batch split or thread count") {
  const std::string settings = GENERATE("input.size=24,output.size=300", "input.size=200,output.size=130",
                                        "input.size=24,output.size=300,preset=lightonlike,medium.drift_time=0.2 s",
                                        "input.size=100,output.size=70,preset=ideal,medium.drift_time=5 ms");
  const auto whole = show(*open(settings), 150, 150);
  CHECK(whole == show(*open(settings), 150, 1));
  CHECK(whole == show(*open(settings), 150, 67));
  const int before = threads();
  set_threads(before == 1 ? 3 : 1);
  CHECK(whole == show(*open(settings), 150, 150));
  set_threads(before);
  CHECK(whole != show(*open(settings + ",seed=1"), 150, 150));
}

TEST_CASE("a snapshot of a drifting OPU brings its future back exactly") {
  const auto device = open("input.size=20,output.size=50,medium.drift_time=50 ms,laser.drift=0.1,laser.drift_time=1 s");
  show(*device, 40, 40);
  const auto state = device->snapshot();
  const auto future = show(*device, 60, 60);
  device->restore(state);
  CHECK(future == show(*device, 60, 7));
  const auto fresh = open("input.size=20,output.size=50,medium.drift_time=50 ms,laser.drift=0.1,laser.drift_time=1 s");
  fresh->restore(state);
  CHECK(future == show(*fresh, 60, 60));
  device->reset();
  CHECK(future != show(*device, 60, 60));
  CHECK_THROWS_AS(open("input.size=21,output.size=50,medium.drift_time=1")->restore(state), InvalidParameter);
}

TEST_CASE("the OPU says what it is") {
  const auto plain = open("input.size=20,output.size=50");
  CHECK_FALSE(plain->describe().stateful);
  CHECK_FALSE(plain->describe().deterministic);
  CHECK(plain->describe().kind == "projection");
  CHECK(open("noise=off")->describe().deterministic);
  CHECK(open("preset=ideal")->describe().deterministic);
  const auto drifting = open("preset=ideal,medium.drift_time=1 h");
  CHECK(drifting->describe().stateful);
  CHECK(drifting->describe().deterministic);  // the frame id decides nothing; time does
  CHECK(plain->describe().cost.frame_s == Approx(500e-6));
  plain->configure({{"camera.exposure", 1e-3}});
  CHECK(plain->describe().cost.frame_s == Approx(1.05e-3));
  CHECK_THROWS_AS(plain->configure({{"input.size", std::int64_t{21}}}), Unsupported);
  CHECK_THROWS_AS(open("input.size=2000000"), OutOfRange);
  CHECK_THROWS_AS(plain->program({}), Unsupported);
}

TEST_CASE("the OPU's self-test passes in every preset and fails without light") {
  const std::string preset = GENERATE("none", "ideal", "lightonlike");
  const auto device = open("input.size=60,output.size=400,preset=" + preset);
  const SelfTest test = device->self_test();
  INFO(test.detail);
  CHECK(test.passed);
  device->configure({{"laser.pixel_power", 0.0}});
  CHECK_FALSE(device->self_test().passed);
}

TEST_CASE("the OPU's twin is its mean code, and its vjp is its derivative") {
  const std::string settings =
      "input.size=12,output.size=30,noise=off,camera.bits=16,dmd.padding=on,dmd.off_contrast=0.01,"
      "dmd.mirrors=1000,medium.grains=2.5";
  Registry registry;
  add_devices(registry);
  const auto twin = registry.twin("sim:opu," + settings);
  const auto device = open(settings);
  const FrameBuffer in = patterns(*device, 5);
  FrameBuffer out(device->describe().output, 5);
  device->run(in.frames(), out.frames(), {});
  Matrix<float> x(5, 12), y(5, 30);
  for (Index f = 0; f < 5; ++f)
    for (Index j = 0; j < 12; ++j) x(f, j) = static_cast<float>(in.frames().at(f, j));
  twin->forward(x, y);
  // noise off: the code is the expected value, rounded
  for (Index f = 0; f < 5; ++f)
    for (Index p = 0; p < 30; ++p)
      CHECK(std::abs(y(f, p) - static_cast<float>(std::as_const(out).frames().at(f, p))) < 0.51f);

  Matrix<float> grad_y(5, 30), grad_x(5, 12), moved(5, 30);
  for (Index i = 0; i < grad_y.size(); ++i) grad_y.data()[i] = std::sin(static_cast<float>(i));
  twin->vjp(x, grad_y, grad_x, {});
  const float h = 0.25f;  // the response is quadratic, so a central difference is exact but for rounding
  for (Index j = 0; j < 12; ++j) {
    for (Index f = 0; f < 5; ++f) x(f, j) += h;
    twin->forward(x, moved);
    std::vector<double> difference(5);
    for (Index f = 0; f < 5; ++f)
      for (Index p = 0; p < 30; ++p)
        difference[static_cast<std::size_t>(f)] += double(moved(f, p)) * double(grad_y(f, p));
    for (Index f = 0; f < 5; ++f) x(f, j) -= 2 * h;
    twin->forward(x, moved);
    for (Index f = 0; f < 5; ++f) {
      for (Index p = 0; p < 30; ++p)
        difference[static_cast<std::size_t>(f)] -= double(moved(f, p)) * double(grad_y(f, p));
      CHECK(double(grad_x(f, j)) ==
            Approx(difference[static_cast<std::size_t>(f)] / double(2 * h)).epsilon(2e-3).margin(0.5));
      x(f, j) += h;
    }
  }
}

TEST_CASE("the reference arm is dark at rest and interferes when its shutter opens") {
  const auto device = open("input.size=20,output.size=64,preset=ideal");
  Matrix<std::uint16_t> aux(4, 2);
  const auto closed = show(*device, 4, 4);
  CHECK(closed == show(*device, 4, 4, aux));
  for (Index f = 0; f < 4; ++f) {
    aux(f, 0) = static_cast<std::uint16_t>(64 * f);
    aux(f, 1) = 1;
  }
  CHECK(closed != show(*device, 4, 4, aux));
}

TEST_CASE("an OPU on the wall clock takes as long as hardware would") {
  const auto device = open("input.size=8,output.size=8,clock=wall,dmd.frame_time=2 ms");
  const auto start = std::chrono::steady_clock::now();
  show(*device, 20, 10);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(took.count() > 0.035);  // 40 ms of frames; the clock started when the device was opened
}

TEST_CASE("an OPU too large for any memory is refused by name") {
  CHECK_THROWS_AS(open("input.size=100000,output.size=1000000"), OutOfRange);
}

TEST_CASE("golden codes of the default OPU") {
  const auto device = open("input.size=12,output.size=8,seed=2026");
  const std::vector<std::uint32_t> expected = {33, 19, 38, 11, 9, 28, 32, 38};
  const auto found = show(*device, 1, 1);
  for (std::size_t p = 0; p < 8; ++p)  // another processor may round a code to its neighbour
    CHECK(std::abs(static_cast<int>(found[p]) - static_cast<int>(expected[p])) <= 1);
}
