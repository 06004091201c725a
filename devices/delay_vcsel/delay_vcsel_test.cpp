#include "devices/delay_vcsel/delay_vcsel.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  registry.add(delay_vcsel::model());
  return registry.open("sim:delay_vcsel" + (settings.empty() ? "" : "," + settings));
}

FrameBuffer random_drive(const DeviceInfo& info, Index count, std::uint64_t set) {
  FrameBuffer codes(info.input, count);
  const Stream stream(3, set, Purpose::user);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < info.input.size(); ++i)
      codes.frames().set(
          f, i,
          static_cast<std::uint32_t>(stream.uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(i)) *
                                     (info.input.highest() + 1.0)));
  return codes;
}

std::vector<double> run(Device& device, const FrameBuffer& in, RunReport* report = nullptr) {
  FrameBuffer out(device.describe().output, in.frames().count);
  const RunReport said = device.run(in.frames(), out.frames());
  if (report) *report = said;
  std::vector<double> codes;
  for (Index f = 0; f < out.frames().count; ++f)
    for (Index i = 0; i < out.frames().size; ++i) codes.push_back(out.frames().at(f, i));
  return codes;
}
}  // namespace

TEST_CASE("driven by current, the settled light follows the L-I line mu - 1") {
  const auto device = open(
      "preset=noiseless,drive.kind=current,drive.depth=0.5,laser.pump=2,feedback.rate_per_s=0,adc.bits=12,adc.range=4,"
      "sample_s=20e-9,input.size=3");
  FrameBuffer in(device->describe().input, 1);
  in.frames().set(0, 0, 0);
  in.frames().set(0, 1, 255);
  in.frames().set(0, 2, 51);
  run(*device, in);
  const auto constant = [&](std::uint32_t code) {
    FrameBuffer held(device->describe().input, 1);
    for (Index i = 0; i < 3; ++i) held.frames().set(0, i, code);
    return run(*device, held).back() / 4095 * 4;  // the first samples settle
  };
  CHECK(constant(0) == Approx(2 * 0.5 - 1).margin(0.01));
  CHECK(constant(255) == Approx(2 * 1.5 - 1).margin(0.002));
  CHECK(constant(51) == Approx(2 * 0.7 - 1).margin(0.002));
}

TEST_CASE("the answer remembers earlier frames and forgets the opening state (noiseless)") {
  const auto one = open("preset=noiseless"), other = open("preset=noiseless");
  const FrameBuffer first = random_drive(one->describe(), 1, 1), second = random_drive(one->describe(), 1, 2);
  const FrameBuffer common = random_drive(one->describe(), 60, 3);
  run(*one, first);
  run(*other, second);
  const auto a = run(*one, common), b = run(*other, common);
  const auto apart = [&](std::size_t frame) {
    double sum = 0;
    for (std::size_t i = 50 * frame; i < 50 * (frame + 1); ++i) sum += std::abs(a[i] - b[i]);
    return sum / 50;
  };
  INFO("mean difference in codes: frame 0 " << apart(0) << ", 1 " << apart(1) << ", 59 " << apart(59));
  CHECK(apart(0) > 1);
  CHECK(apart(59) < 0.1);
}

TEST_CASE("at the default operating point the codes fill the converter without clipping much") {
  const auto device = open("");
  RunReport report;
  run(*device, random_drive(device->describe(), 40, 5));  // the turn-on transient
  const auto codes = run(*device, random_drive(device->describe(), 200, 4), &report);
  double mean = 0, square = 0, top = 0;
  for (const double code : codes) {
    mean += code / static_cast<double>(codes.size());
    square += code * code / static_cast<double>(codes.size());
    top = std::max(top, code);
  }
  INFO("mean " << mean << " sd " << std::sqrt(square - mean * mean) << " top " << top << " clipped "
               << report.saturated);
  CHECK(std::sqrt(square - mean * mean) > 25);
  CHECK(report.saturated < report.codes / 50);
}

TEST_CASE("detector noise has the set size, independent of the light (chi-square, alpha 1e-3, n 20000)") {
  const auto noisy = open(
      "laser.spontaneous=0,detector.noise=0.01,adc.bits=16,adc.range=4,drive.kind=current,laser.pump=2,"
      "drive.depth=0,feedback.rate_per_s=0");
  const FrameBuffer in(noisy->describe().input, 400);
  double sum = 0;
  for (const double code : run(*noisy, in)) {
    const double z = (code / 65535 - 0.25) / 0.01;  // the solitary laser at rest: I = 1 of 4
    sum += z * z;
  }
  CHECK(std::abs(sum - 20000) / std::sqrt(40000.0) < 3.29);
}

TEST_CASE("times that are no whole number of steps are refused, and so is a step that is too long") {
  CHECK_THROWS_AS(open("sample_s=20.5e-12"), InvalidParameter);
  CHECK_THROWS_AS(open("feedback.delay_s=1.0205e-9"), InvalidParameter);
  CHECK_NOTHROW(open("sample_s=20.5e-12,step_s=0.5e-12"));
  const auto device = open("preset=noiseless,step_s=20e-12,laser.photon_lifetime_s=1e-13,injection.rate_per_s=1e12");
  const auto state = device->snapshot();
  CHECK_THROWS_AS(run(*device, random_drive(device->describe(), 4, 1)), OutOfRange);
  CHECK(device->snapshot() == state);
}

}  // namespace lightloop
