#include "devices/delay_vcsel/delay_vcsel.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <set>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings, const Settings& extra = {}) {
  Registry registry;
  registry.add(delay_vcsel::model());
  return registry.open("sim:delay_vcsel" + (settings.empty() ? "" : "," + settings), extra);
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

namespace {

const char* const kKinds[] = {
    "input.size=70", "input.size=70,precision=single",
    "input.size=70,laser.kind=spin_flip,feedback.kind=rotated,detector.output=both,laser.pump=1.4,laser.spontaneous=1e-"
    "4",
    "input.size=70,laser.kind=spin_flip,precision=single,sample_s=50e-12,detector.bandwidth_hz=5e9,detector.noise=0"};

std::vector<Settings> varied(std::size_t count) {
  std::vector<Settings> members(count);
  for (std::size_t m = 0; m < count; ++m)
    members[m] = {{"laser.pump", 1 + 0.03 * static_cast<double>(m)},
                  {"injection.detuning_hz", 0.4e9 * static_cast<double>(m % 7)},
                  {"laser.spontaneous", m % 5 == 4 ? 0.0 : 1e-5}};
  return members;
}

}  // namespace

TEST_CASE("members of an ensemble give the codes of single devices, for any number of threads and members") {
  for (const std::string kind : kKinds) {
    constexpr std::size_t kMembers = 21;
    const auto device = open(kind);
    const auto settings = varied(kMembers);
    const FrameBuffer in = random_drive(device->describe(), 3 * kMembers, 8);
    const auto ensemble = [&](int count) {
      set_threads(count);
      FrameBuffer out(device->describe().output, 3 * kMembers);
      device->ensemble()->configure_members(settings);
      // frames 7 and 8, then 9: the second call goes on from the first
      FrameBuffer first_in(device->describe().input, 2 * kMembers), second_in(device->describe().input, kMembers);
      FrameBuffer first(device->describe().output, 2 * kMembers), second(device->describe().output, kMembers);
      for (Index m = 0; m < Index(kMembers); ++m)
        for (Index i = 0; i < in.frames().size; ++i) {
          for (Index f = 0; f < 2; ++f) first_in.frames().set(2 * m + f, i, in.frames().at(3 * m + f, i));
          second_in.frames().set(m, i, in.frames().at(3 * m + 2, i));
        }
      device->ensemble()->run_members(first_in.frames(), first.frames(), {.first_frame_id = 7});
      device->ensemble()->run_members(second_in.frames(), second.frames(), {.first_frame_id = 9});
      std::vector<std::uint32_t> codes;
      for (Index m = 0; m < Index(kMembers); ++m) {
        for (Index f = 0; f < 2; ++f)
          for (Index i = 0; i < out.frames().size; ++i) codes.push_back(first.frames().at(2 * m + f, i));
        for (Index i = 0; i < out.frames().size; ++i) codes.push_back(second.frames().at(m, i));
      }
      return codes;
    };
    const int before = threads();
    const auto one = ensemble(1), three = ensemble(3);
    set_threads(before);
    CHECK(one == three);
    std::vector<std::uint32_t> alone;
    for (std::size_t m = 0; m < kMembers; ++m) {
      const auto single = open(kind + ",instance=" + std::to_string(m), settings[m]);
      FrameBuffer out(single->describe().output, 3);
      single->run(in.frames().slice(Index(3 * m), 3), out.frames(), {.first_frame_id = 7});
      for (Index f = 0; f < 3; ++f)
        for (Index i = 0; i < out.frames().size; ++i) alone.push_back(out.frames().at(f, i));
    }
    INFO(kind);
    CHECK(one == alone);
    CHECK(std::set<std::uint32_t>(one.begin(), one.end()).size() > 20);
  }
}

TEST_CASE("a member that breaks down is named with its parameters, and the others go on") {
  const auto device = open("preset=noiseless");
  std::vector<Settings> settings(20);
  settings[5] = {{"laser.photon_lifetime_s", 1e-13}, {"injection.rate_per_s", 1e12}};
  const FrameBuffer in = random_drive(device->describe(), 40, 1);
  FrameBuffer sick(device->describe().output, 40), healthy(device->describe().output, 40);
  device->ensemble()->configure_members(settings);
  const RunReport report = device->ensemble()->run_members(in.frames(), sick.frames(), {});
  settings[5] = {};
  device->ensemble()->configure_members(settings);
  CHECK(device->ensemble()->run_members(in.frames(), healthy.frames(), {}).failures.empty());
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].member == 5);
  CHECK(report.failures[0].detail.find("laser.photon_lifetime_s") != std::string::npos);
  for (Index row = 0; row < 40; ++row) {
    bool equal = true;
    for (Index i = 0; i < sick.frames().size; ++i) equal &= sick.frames().at(row, i) == healthy.frames().at(row, i);
    CHECK(equal == (row / 2 != 5));
  }
  CHECK(sick.frames().at(11, 49) == 0);
}

TEST_CASE("members are checked before any is taken, and the message names the one") {
  const auto device = open("");
  const auto refused = [&](Settings wrong) -> std::string {
    try {
      device->ensemble()->configure_members({{}, std::move(wrong)});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(refused({{"laser.pump", -1.0}}).find("member 1") == 0);
  CHECK(refused({{"laser.pumpe", 1.0}}).find("laser.pump") != std::string::npos);
  CHECK(refused({{"step_s", 2e-12}}).find("member 1") == 0);
  CHECK(refused({{"injection.detuning_hz", 200e9}}).find("at most") != std::string::npos);
  FrameBuffer in(device->describe().input, 1), out(device->describe().output, 1);
  CHECK_THROWS_AS(device->ensemble()->run_members(in.frames(), out.frames(), {}), InvalidParameter);
  device->ensemble()->configure_members({{}, {}});
  CHECK_THROWS_AS(device->ensemble()->run_members(in.frames(), out.frames(), {}), ShapeMismatch);
}

TEST_CASE("bias and wavelength are other words for pump and detuning") {
  const auto by_bias =
      open("laser.bias_a=6 mA,laser.threshold_a=4mA,laser.pump_slope=2,injection.wavelength_m=979.99nm");
  const double hz = 299792458 / 979.99e-9 - 299792458 / 980e-9;
  const auto plain = open("laser.pump=2,injection.detuning_hz=" + std::to_string(hz));
  const FrameBuffer in = random_drive(plain->describe(), 5, 2);
  CHECK(run(*by_bias, in) == run(*plain, in));
  CHECK_THROWS_AS(open("laser.bias_a=1mA,laser.threshold_a=4mA,laser.pump_slope=2"), OutOfRange);
}

TEST_CASE("both polarisations are returned side by side, and total is their sum") {
  const std::string common =
      "preset=noiseless,laser.kind=spin_flip,injection.angle_rad=0.8,adc.bits=16,adc.range=8,laser.pump=2,";
  const auto both = open(common + "detector.output=both"), total = open(common + "detector.output=total");
  const FrameBuffer in = random_drive(total->describe(), 4, 3);
  const auto xy = run(*both, in), sum = run(*total, in);
  REQUIRE(xy.size() == 2 * sum.size());
  double x = 0, y = 0, apart = 0;
  for (std::size_t f = 0; f < 4; ++f)
    for (std::size_t i = 0; i < 50; ++i) {
      x += xy[100 * f + i];
      y += xy[100 * f + 50 + i];
      apart = std::max(apart, std::abs(xy[100 * f + i] + xy[100 * f + 50 + i] - sum[50 * f + i]));
    }
  CHECK(apart <= 1);
  CHECK(x > 1000);
  CHECK(y > 1000);
  CHECK_THROWS_AS(open("detector.output=y"), InvalidParameter);
}

TEST_CASE("a sweep of 100 000 members takes the same memory for each of them", "[.slow]") {
  const auto resident = [] {
    std::ifstream statm("/proc/self/statm");
    double pages = 0, held = 0;
    statm >> pages >> held;
    return held * 4096;
  };
  // loop of 100 steps in single precision: 800 bytes of light under way per member
  const std::string kind = "input.size=4,precision=single,feedback.delay_s=100e-12";
  std::vector<double> each;
  for (const std::size_t members : {20000u, 100000u}) {
    const auto device = open(kind);
    std::vector<Settings> settings(members);
    for (std::size_t m = 0; m < members; ++m) settings[m] = {{"laser.pump", 0.9 + 1e-5 * static_cast<double>(m)}};
    FrameBuffer in(device->describe().input, Index(members)), out(device->describe().output, Index(members));
    const double before = resident();
    device->ensemble()->configure_members(settings);
    const RunReport report = device->ensemble()->run_members(in.frames(), out.frames(), {});
    each.push_back((resident() - before) / static_cast<double>(members));
    CHECK(report.failures.empty());
  }
  WARN("bytes per member: " << each[0] << " of 20 000, " << each[1] << " of 100 000");
  CHECK(each[1] == Approx(each[0]).epsilon(0.1));
  CHECK(each[1] < 4000);
}

}  // namespace lightloop
