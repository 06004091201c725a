#include "devices/crossbar/crossbar.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "driver/api/conformance.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  registry.add(crossbar::model());
  return registry.open("sim:crossbar," + settings);
}

FrameBuffer random_codes(const FrameFormat& format, Index count, std::uint64_t set) {
  FrameBuffer codes(format, count);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < format.size(); ++i)
      codes.frames().set(
          f, i,
          static_cast<std::uint32_t>(
              Stream(3, set, Purpose::user).uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(i)) *
              (format.highest() + 1.0)));
  return codes;
}

FrameBuffer run(Device& device, const FrameBuffer& in, const RunOptions& options = {}, RunReport* report = nullptr) {
  FrameFormat format = device.describe().output;
  if (options.pass == Pass::transposed) format.shape = device.describe().input.shape;
  FrameBuffer out(format, in.frames().count);
  const RunReport said = device.run(in.frames(), out.frames(), options);
  if (report) *report = said;
  return out;
}

double signed_value(std::uint32_t code, int bits) { return code / std::ldexp(1.0, bits - 1) - 1.0; }

/// Two-sided test that n squared standard normals sum to `sum`: normal approximation of chi-square, alpha = 1e-3.
bool plausible_chi_square(double sum, double n) { return std::abs(sum - n) / std::sqrt(2 * n) < 3.29; }

}  // namespace

TEST_CASE("without noise the codes are the rounded product, in both directions") {
  const auto device = open("preset=ideal,input.size=37,output.size=21,adc.bits=12,adc.range=20");
  const FrameBuffer weights = random_codes(*device->describe().program, 1, 1);
  device->program(weights.frames());
  for (const Pass pass : {Pass::forward, Pass::transposed}) {
    const Index n_in = pass == Pass::forward ? 37 : 21, n_out = 58 - n_in;
    const FrameBuffer in = random_codes({{n_in}, 8, ""}, 9, 2);
    const FrameBuffer out = run(*device, in, {.pass = pass});
    double worst = 0;
    for (Index f = 0; f < 9; ++f)
      for (Index i = 0; i < n_out; ++i) {
        double y = 0;
        for (Index j = 0; j < n_in; ++j)
          y += signed_value(weights.frames().at(0, pass == Pass::forward ? i * 37 + j : j * 37 + i), 8) *
               signed_value(in.frames().at(f, j), 8);
        worst = std::max(worst, std::abs(out.frames().at(f, i) - (2048 + y / 20 * 2048)));
      }
    CHECK(worst < 0.5 + 1e-2);  // half a code, and single precision
    CHECK(worst > 0.4);         // so the test would see a missing half code
  }
}

TEST_CASE("read noise grows with the length of the drive, output noise does not (chi-square, alpha 1e-3, n 20000)") {
  for (const auto& [drive, sd] : {std::pair<std::uint32_t, double>{16384, std::hypot(0.1 * 0.5 * 8, 0.3)},
                                  {0, std::hypot(0.1 * 1.0 * 8, 0.3)},
                                  {32768, 0.3}}) {
    const auto device = open(
        "input.size=64,output.size=100,dac.bits=16,adc.bits=16,adc.range=16,programming_error=0,read_noise=0.1,"
        "output_noise=0.3,seed=8");
    FrameBuffer in(device->describe().input, 200);
    for (Index f = 0; f < 200; ++f)
      for (Index j = 0; j < 64; ++j) in.frames().set(f, j, drive);
    const FrameBuffer out = run(*device, in);  // erased memory: only noise
    double sum = 0, cross = 0;
    for (Index f = 0; f < 200; ++f)
      for (Index i = 0; i < 100; ++i) {
        const double z = 16 * signed_value(out.frames().at(f, i), 16) / sd;
        sum += z * z;
        if (i > 0) cross += z * 16 * signed_value(out.frames().at(f, i - 1), 16) / sd;
      }
    INFO("sum of squares " << sum << ", of neighbours " << cross);
    CHECK(plausible_chi_square(sum, 20000));
    CHECK(std::abs(cross) / std::sqrt(19800.0) < 3.29);
  }
}

TEST_CASE("the programming error is drawn once per write (chi-square, alpha 1e-3, n 10000)") {
  const auto device = open(
      "input.size=100,output.size=100,dac.bits=2,adc.bits=16,adc.range=2,programming_error=0.05,read_noise=0,"
      "output_noise=0,seed=9");
  FrameBuffer weights(*device->describe().program, 1), probes(device->describe().input, 101);
  for (Index i = 0; i < 10000; ++i) weights.frames().set(0, i, 128 + static_cast<std::uint32_t>(i % 60));
  for (Index f = 0; f < 101; ++f)
    for (Index j = 0; j < 100; ++j) probes.frames().set(f, j, f == j ? 0 : 2);  // v = -1 at j = f, else 0
  const auto errors = [&] {
    const FrameBuffer out = run(*device, probes);
    std::vector<double> all;
    for (Index j = 0; j < 100; ++j)
      for (Index i = 0; i < 100; ++i)
        all.push_back(
            (-2 * signed_value(out.frames().at(j, i), 16) - signed_value(weights.frames().at(0, i * 100 + j), 8)) /
            0.05);
    return all;
  };
  device->program(weights.frames());
  const auto first = errors(), again = errors();
  CHECK(first == again);
  device->program(weights.frames());
  const auto rewritten = errors();
  double sum = 0, cross = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    sum += first[i] * first[i];
    cross += first[i] * rewritten[i];
  }
  CHECK(plausible_chi_square(sum, 10000));
  CHECK(std::abs(cross) / 100 < 3.29);
}

TEST_CASE("codes beyond the converter are clipped and counted") {
  const auto device = open("preset=ideal,input.size=4,output.size=3,adc.range=0.5");
  FrameBuffer weights(*device->describe().program, 1), in(device->describe().input, 1);
  for (Index i = 0; i < 12; ++i) weights.frames().set(0, i, i < 4 ? 255u : i < 8 ? 0u : 128u);
  for (Index j = 0; j < 4; ++j) in.frames().set(0, j, 255);
  device->program(weights.frames());
  RunReport report;
  const FrameBuffer out = run(*device, in, {}, &report);
  CHECK(out.frames().at(0, 0) == 255);
  CHECK(out.frames().at(0, 1) == 0);
  CHECK(out.frames().at(0, 2) == 128);
  CHECK(report.saturated == 2);
}

TEST_CASE("the twin is the device without noise and rounding") {
  Registry registry;
  registry.add(crossbar::model());
  const std::string address = "sim:crossbar,preset=ideal,input.size=30,output.size=20,adc.bits=10";
  const auto device = registry.open(address);
  const auto twin = registry.twin(address);
  const FrameBuffer weights = random_codes(*device->describe().program, 1, 1);
  const FrameBuffer in = random_codes(device->describe().input, 5, 2);
  device->program(weights.frames());
  const FrameBuffer out = run(*device, in);
  Matrix<float> theta(1, 600), x(5, 30), y(5, 20);
  for (Index i = 0; i < 600; ++i) theta(0, i) = static_cast<float>(weights.frames().at(0, i));
  for (Index i = 0; i < 150; ++i) x.data()[i] = static_cast<float>(in.frames().at(i / 30, i % 30));
  twin->program(theta);
  twin->forward(x, y);
  for (Index i = 0; i < 100; ++i) CHECK(y.data()[i] == Approx(out.frames().at(i / 20, i % 20)).margin(0.501));
}

TEST_CASE("wires take away c(a) of what comes from far, in closed form, in both directions") {
  const auto device =
      open("preset=ideal,ir_drop=2,input.size=200,output.size=150,dac.bits=12,weight.bits=12,adc.bits=16,adc.range=16");
  const FrameBuffer weights = random_codes(*device->describe().program, 1, 1);
  device->program(weights.frames());
  for (const Pass pass : {Pass::forward, Pass::transposed}) {
    const bool forward = pass == Pass::forward;
    const Index n_in = forward ? 200 : 150, n_out = 350 - n_in;
    const FrameBuffer in = random_codes({{n_in}, 12, ""}, 3, 2);
    const FrameBuffer out = run(*device, in, {.pass = pass});
    double worst = 0, largest = 0;
    for (Index f = 0; f < 3; ++f)
      for (Index i = 0; i < n_out; ++i) {
        double y = 0, placed = 0, current = 0;
        for (Index j = 0; j < n_in; ++j) {
          const double w = signed_value(weights.frames().at(0, forward ? i * 200 + j : j * 200 + i), 12);
          const double v = signed_value(in.frames().at(f, j), 12),
                       rest = 1 - static_cast<double>(j) / static_cast<double>(n_in);
          y += w * v;
          placed += w * v * (1 - rest * rest);
          current += std::abs(w * v);
        }
        const double a = static_cast<double>(n_in) * 0.35 * 5e-6 * current, c = a * (0.05 * a * a - 0.2 * a + 0.5);
        worst = std::max(worst, std::abs(16 * signed_value(out.frames().at(f, i), 16) - (y - 2 * c * placed)));
        largest = std::max(largest, std::abs(2 * c * placed));
      }
    CHECK(worst < 16.0 / 65536 * 1.1 + 1e-4);  // half a code, and single precision
    CHECK(largest > 20 * worst);
  }
}

TEST_CASE("output-referred read noise is that of cells redrawn for every frame (chi-square, alpha 1e-3, n 20000)") {
  const auto device =
      open("preset=ideal,read_law=pcm_read,read_noise=0.1,input.size=50,output.size=20,adc.bits=16,adc.range=8,seed=4");
  const FrameBuffer weights = random_codes(*device->describe().program, 1, 1), one = random_codes({{50}, 8, ""}, 1, 2);
  device->program(weights.frames());
  FrameBuffer in(device->describe().input, 1000);
  for (Index f = 0; f < 1000; ++f)
    for (Index j = 0; j < 50; ++j) in.frames().set(f, j, one.frames().at(0, j));
  const FrameBuffer out = run(*device, in);
  const Stream cells(77, 0, Purpose::user);
  double sum = 0, explicit_sum = 0;
  std::vector<float> xi(50);
  for (Index i = 0; i < 20; ++i) {
    double y = 0, variance = 0;
    for (Index j = 0; j < 50; ++j) {
      const double w = signed_value(weights.frames().at(0, i * 50 + j), 8), v = signed_value(one.frames().at(0, j), 8);
      y += w * v;
      variance += 0.01 * std::abs(w) * v * v;
    }
    for (Index f = 0; f < 1000; ++f) {
      sum += std::pow(8 * signed_value(out.frames().at(f, i), 16) - y, 2) / variance;
      cells.normal(static_cast<std::uint64_t>(i * 1000 + f), 0, xi);
      double drawn = 0;  // every cell its own error
      for (Index j = 0; j < 50; ++j)
        drawn += 0.1 * std::sqrt(std::abs(signed_value(weights.frames().at(0, i * 50 + j), 8))) *
                 static_cast<double>(xi[static_cast<std::size_t>(j)]) * signed_value(one.frames().at(0, j), 8);
      explicit_sum += drawn * drawn / variance;
    }
  }
  CHECK(plausible_chi_square(sum, 20000));
  CHECK(plausible_chi_square(explicit_sum, 20000));
}

namespace {

/// 60 x 40 pairs of u = 1/2 and 0, and their weights one by one, through converters of 2 and 16 bits.
struct HalfWritten {
  FrameBuffer weights, probes;
  explicit HalfWritten(const Device& device)
      : weights(*device.describe().program, 1), probes(device.describe().input, 40) {
    for (Index i = 0; i < 2400; ++i) weights.frames().set(0, i, 192);
    for (Index f = 0; f < 40; ++f)
      for (Index j = 0; j < 40; ++j) probes.frames().set(f, j, f == j ? 0 : 2);
  }
  std::vector<double> read(Device& from) const {
    const FrameBuffer out = run(from, probes);
    std::vector<double> all;
    for (Index f = 0; f < 40; ++f)
      for (Index i = 0; i < 60; ++i) all.push_back(-2 * signed_value(out.frames().at(f, i), 16));
    return all;
  }
};

}  // namespace

TEST_CASE("phase-change pairs stay pairs, drift on trajectories of their own and come back bit by bit") {
  const std::string settings =
      "cell.kind=phase_change,read_noise=0,output_noise=0,input.size=40,output.size=60,dac.bits=2,adc.bits=16,"
      "adc.range=2,seed=5";
  const auto device = open(settings);
  const HalfWritten pairs(*device);
  const FrameBuffer& weights = pairs.weights;
  const auto read = [&](Device& from) { return pairs.read(from); };
  device->program(weights.frames());
  const auto early = read(*device);
  double mean = 0, square = 0;
  for (const double w : early) mean += w / 2400;
  for (const double w : early) square += (w - mean) * (w - mean) / 2400;
  // g+ ~ N(1/2, 0.0381); g- = max(0, N(0, 0.01054)): mean 0.01054 / sqrt(2 pi), second moment half
  const double s = 0.01054, minus_mean = s / std::sqrt(2 * 3.14159265), minus_var = s * s / 2 - minus_mean * minus_mean;
  CHECK(mean == Approx(0.5 - minus_mean).margin(3.3 * 0.04 / std::sqrt(2400)));
  CHECK(square == Approx(0.03811 * 0.03811 + minus_var).epsilon(3.3 * std::sqrt(2.0 / 2400)));
  const auto state = device->snapshot();
  device->configure({{"clock_s", 86400.0}});
  const auto late = read(*device);
  double kept = 0, slope = 0, spread = 0;
  for (std::size_t i = 0; i < late.size(); ++i) {
    kept += late[i] / early[i] / 2400;
    slope += (late[i] - early[i] * 0.664) * (early[i] - mean);
    spread += (early[i] - mean) * (early[i] - mean);
  }
  CHECK(kept == Approx(.664).epsilon(0.02));  // a day at nu about 0.049, g- aside
  CHECK(std::abs(slope / spread) < 0.05);     // the errors that were written are still there
  CHECK_THROWS_AS(device->configure({{"clock_s", -1.0}}), OutOfRange);
  const auto aged = device->snapshot();
  const auto again = open(settings);
  again->restore(aged);
  CHECK(read(*again) == read(*device));
  again->restore(state);
  CHECK(again->settings().real("clock_s") == 0);
  CHECK(read(*again) == early);
}

TEST_CASE(
    "resistive pairs spread as published, relax on paths of their own, stick where they are broken, and come back") {
  const std::string settings =
      "cell.kind=resistive,read_noise=0,output_noise=0,input.size=40,output.size=60,dac.bits=2,adc.bits=16,adc.range="
      "2,";
  const auto device = open(settings + "seed=5");
  const HalfWritten pairs(*device);
  const FrameBuffer& weights = pairs.weights;
  const auto read = [&](Device& from) { return pairs.read(from); };
  // g+ - g-: the spreads of u = 1/2 and, cut off below 0, of u = 0; 3.3 standard errors two-sided, n = 2400, seed 5
  const auto check_spread = [](const std::vector<double>& w, double half, double zero) {
    double mean = 0, square = 0;
    for (const double v : w) mean += v / 2400;
    for (const double v : w) square += (v - mean) * (v - mean) / 2400;
    const double cut = zero / std::sqrt(2 * 3.14159265), expected = half * half + zero * zero / 2 - cut * cut;
    CHECK(mean == Approx(0.5 - cut).margin(3.3 * std::sqrt(expected / 2400)));
    CHECK(square == Approx(expected).epsilon(3.3 * std::sqrt(2.0 / 2400)));
  };
  device->program(weights.frames());
  const auto early = read(*device);
  check_spread(early, 2.0238 / 40, 0.348 / 40);
  device->configure({{"clock_s", 86400.0}});
  const auto late = read(*device);
  check_spread(late, 3.909 / 40, 0.701 / 40);
  CHECK_THROWS_AS(device->configure({{"clock_s", 3 * 86400.0}}), OutOfRange);
  const auto erased = open(settings + "seed=5");
  erased->configure({{"clock_s", 3 * 86400.0}});
  run(*erased, pairs.probes);
  const auto again = open(settings + "seed=5");
  again->program(weights.frames());
  again->restore(device->snapshot());
  CHECK(read(*again) == late);

  // 20 % stay at 0 and 10 % at full conductance, on both sides: within 3.3 standard errors of 2400 pairs
  const auto broken = open(settings + "seed=5,cell.stuck_off=0.2,cell.stuck_on=0.1");
  broken->program(weights.frames());
  Index at_one = 0, at_zero = 0;
  for (const double w : read(*broken)) at_one += w > 0.9, at_zero += std::abs(w) < 0.1;
  CHECK(double(at_one) / 2400 == Approx(0.1 * 0.9).margin(3.3 * std::sqrt(0.09 * 0.91 / 2400)));
  CHECK(double(at_zero) / 2400 == Approx(0.2 * 0.9 + 0.1 * 0.1).margin(3.3 * std::sqrt(0.19 * 0.81 / 2400)));
}

TEST_CASE("a snapshot holds what was programmed, in cells of every kind") {
  for (const char* kind : {"gaussian", "phase_change", "state_independent", "resistive", "constant_step"}) {
    INFO(kind);
    const std::string settings = std::string("cell.kind=") + kind + ",read_law=device,input.size=12,output.size=9";
    const auto device = open(settings);
    const FrameBuffer first = random_codes(*device->describe().program, 1, 1),
                      second = random_codes(*device->describe().program, 1, 2),
                      in = random_codes(device->describe().input, 5, 3);
    const auto answers = [&](Device& of) {
      std::vector<std::uint32_t> codes;
      const FrameBuffer out = run(of, in);
      for (Index i = 0; i < 5 * 9; ++i) codes.push_back(out.frames().at(i / 9, i % 9));
      return codes;
    };
    device->program(first.frames());
    device->configure({{"clock_s", 3600.0}});
    const auto state = device->snapshot();
    const auto before = answers(*device);
    device->program(second.frames());
    CHECK(answers(*device) != before);
    device->restore(state);
    CHECK(answers(*device) == before);
    const auto fresh = open(settings);
    fresh->restore(state);
    CHECK(answers(*fresh) == before);
    CHECK(fresh->settings().real("clock_s") == 3600);
  }
}

TEST_CASE("a snapshot of another device is refused, naming what differs") {
  const std::string sizes = "preset=pcm,input.size=12,output.size=9";
  const auto state = open(sizes)->snapshot();
  const auto refusal = [&](const std::string& settings) {
    const auto other = open(settings);
    try {
      other->restore(state);
    } catch (const InvalidParameter& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal("preset=pcm,input.size=9,output.size=12"),
             Contains("input.size = 12, output.size = 9") && Contains("input.size = 9, output.size = 12"));
  CHECK_THAT(refusal(sizes + ",seed=2"), Contains("with seed = 1 (this one has seed = 2)"));
  CHECK_THAT(refusal(sizes + ",weight.bits=6"), Contains("weight.bits = 8") && Contains("weight.bits = 6"));
  CHECK_THAT(refusal(sizes + ",cell.kind=resistive"), Contains("phase_change") && Contains("resistive"));
  CHECK_THAT(refusal("preset=hwa,input.size=12,output.size=9"), Contains("cell.kind = gaussian"));
  CHECK(refusal(sizes + ",read_noise=0") == "accepted");  // settings that may change while it is open are none of it
}

TEST_CASE("a snapshot from before programmes were in it goes on with the programme that is there") {
  const std::string settings = "preset=pcm,input.size=12,output.size=9";
  const auto device = open(settings), again = open(settings);
  const FrameBuffer weights = random_codes(*device->describe().program, 1, 1);
  ByteWriter older;
  older.put(std::uint8_t{2});
  older.put(std::uint64_t{1});                                  // writes
  for (const double seconds : {60.0, 0.0}) older.put(seconds);  // clock, last write
  older.put(std::int64_t{0});                                   // frames since the clock was set
  for (Device* one : {device.get(), again.get()}) one->program(weights.frames());
  device->restore(older.take());
  again->configure({{"clock_s", 60.0}});
  CHECK(device->snapshot() == again->snapshot());
  ByteWriter newer;
  newer.put(std::uint8_t{4});
  CHECK_THROWS_AS(device->restore(newer.take()), InvalidParameter);
}

TEST_CASE("time does not go back but by a snapshot") {
  const auto device = open("preset=pcm,input.size=12,output.size=9");
  const auto morning = device->snapshot();
  device->configure({{"clock_s", 86400.0}});
  try {
    device->configure({{"clock_s", 3600.0}});
    FAIL("accepted");
  } catch (const OutOfRange& error) {
    CHECK(error.subject() == "sim:crossbar: clock_s");
    CHECK(error.limit() == "not before the device's present time, 86400 s");
    CHECK_THAT(error.hint(), Catch::Matchers::Contains("restore()"));
  }
  CHECK(device->settings().real("clock_s") == 86400);
  device->restore(morning);
  CHECK(device->settings().real("clock_s") == 0);
  device->configure({{"clock_s", 3600.0}});
}

TEST_CASE("drifting cells answer alike however a batch is cut, also where conductances step") {
  const auto codes = [&](Index cut) {
    const auto device = open("preset=pcm,input.size=16,output.size=16,clock_s=0,seed=6");
    device->program(random_codes(*device->describe().program, 1, 1).frames());
    device->configure({{"clock_s", 20 * (std::exp2(1.0 / 128) - 1) - 100 * 130e-9}});  // 100 frames before a step
    FrameBuffer in = random_codes(device->describe().input, 300, 2), out(device->describe().output, 300);
    device->run(in.frames().slice(0, cut), out.frames().slice(0, cut), {});
    device->run(in.frames().slice(cut, 300 - cut), out.frames().slice(cut, 300 - cut),
                {.first_frame_id = static_cast<std::uint64_t>(cut)});
    std::vector<std::uint32_t> all;
    for (Index i = 0; i < 300 * 16; ++i) all.push_back(out.frames().at(i / 16, i % 16));
    return all;
  };
  const auto whole = codes(300);
  CHECK(whole == codes(50));
  CHECK(whole == codes(101));
}

TEST_CASE("pulsed cells cost the pulses that are sent, row after row") {
  const auto device = open(
      "preset=ideal,cell.kind=soft_bounds,pulse.step=0.001,pulse.step_spread=0,pulse.asymmetry_spread=0,"
      "pulse.bound_spread=0,pulse.cycle_noise=0,input.size=6,output.size=4");
  const auto check_cost = [&](double pulses, double one_by_one) {
    const CostModel& cost = device->describe().cost;
    CHECK(cost.program_j == Approx(100e-12 * pulses).margin(1e-20));
    CHECK(cost.program_s == Approx(1e-6 * one_by_one).margin(1e-15));
    CHECK(cost.parts.back().program_j == cost.program_j);
    CHECK(cost.parts.back().program_events == pulses);
  };
  const double half = std::rint(std::log(0.5) / std::log1p(-0.001));  // 1 - (1 - step)^n = 1 / 2
  const double full = std::rint(std::log(1e-3) / std::log1p(-0.001));
  check_cost(24 * (1 + half), 4 * (1 + full));  // before the first write; 1: erasing
  FrameBuffer codes(*device->describe().program, 1);
  for (Index i = 0; i < 24; ++i) codes.frames().set(0, i, i < 6 ? 192 : 128);  // 1 / 2 in the first row, 0 elsewhere
  device->program(std::as_const(codes).frames());
  check_cost(24 + 6 * half, 4 + half);
  device->configure({{"program.mode", std::string("pulses")}});
  check_cost(24 + 6 * half, 4 + half);
  for (Index i = 0; i < 24; ++i) codes.frames().set(0, i, 129);
  device->program(std::as_const(codes).frames());
  check_cost(24, 4);
  for (Index i = 0; i < 24; ++i) codes.frames().set(0, i, 128);
  device->program(std::as_const(codes).frames());
  check_cost(0, 0);
  for (const auto& [cell, code] : {std::pair<Index, std::uint32_t>{0, 228}, {5, 108}, {23, 0}})
    codes.frames().set(0, cell, code);
  device->program(std::as_const(codes).frames());
  check_cost(100 + 20 + 128, 100 + 128);
}

TEST_CASE("pairs of pulsed cells come back from a snapshot with both sides, to the bit") {
  for (const std::string kind : {"constant_step", "soft_bounds"}) {
    const std::string settings =
        "program.mode=pulses,pulse.step=0.01,pulse.pair=true,ir_drop=1,input.size=9,output.size=7,"
        "cell.kind=" +
        kind;
    const auto device = open(settings), again = open(settings);
    FrameBuffer pulses(*device->describe().program, 1), in = random_codes(device->describe().input, 5, 3);
    const auto pulse = [&](Device& to, std::uint32_t seed) {
      for (Index i = 0; i < 63; ++i)
        pulses.frames().set(0, i, 98 + static_cast<std::uint32_t>(seed * 37 + static_cast<std::uint32_t>(i) * 29) % 61);
      to.program(std::as_const(pulses).frames());
    };
    for (std::uint32_t k = 0; k < 12; ++k) pulse(*device, k);
    again->restore(device->snapshot());
    CHECK(again->snapshot() == device->snapshot());
    for (std::uint32_t k = 12; k < 24; ++k) {  // refreshes among them
      pulse(*device, k);
      pulse(*again, k);
    }
    CHECK(again->snapshot() == device->snapshot());
    const FrameBuffer a = run(*device, in), b = run(*again, in);
    for (Index r = 0; r < 5; ++r)
      for (Index i = 0; i < 7; ++i) CHECK(a.frames().at(r, i) == b.frames().at(r, i));
    const auto single =
        open("program.mode=pulses,pulse.step=0.01,ir_drop=1,input.size=9,output.size=7,cell.kind=" + kind);
    CHECK_THROWS_WITH(single->restore(device->snapshot()), Catch::Contains("pulse.pair"));
  }
  CHECK_THROWS_WITH(open("pulse.pair=true"), Catch::Contains("cell.kind = gaussian"));
}

TEST_CASE("pulsed cells take weights by pulses and reading back, and go on from there by pulses") {
  const std::string quiet =
      "preset=ideal,input.size=12,output.size=10,dac.bits=2,adc.bits=16,adc.range=2,pulse.bound_spread=0,"
      "pulse.step_spread=0.1,pulse.cycle_noise=0,pulse.step=0.002,cell.kind=";
  for (const char* kind : {"constant_step", "soft_bounds"}) {
    INFO(kind);
    const auto device = open(quiet + kind);
    FrameBuffer weights(*device->describe().program, 1), probes(device->describe().input, 12);
    for (Index i = 0; i < 120; ++i) weights.frames().set(0, i, 128 + static_cast<std::uint32_t>(i % 90));
    for (Index f = 0; f < 12; ++f)
      for (Index j = 0; j < 12; ++j) probes.frames().set(f, j, f == j ? 0 : 2);
    const auto held = [&](Device& from) {
      const FrameBuffer out = run(from, probes);
      std::vector<double> w;
      for (Index i = 0; i < 10; ++i)
        for (Index j = 0; j < 12; ++j) w.push_back(-2 * signed_value(out.frames().at(j, i), 16));
      return w;
    };
    device->program(std::as_const(weights).frames());
    const auto before = held(*device);
    double worst = 0;
    for (Index i = 0; i < 120; ++i)
      worst =
          std::max(worst, std::abs(before[static_cast<std::size_t>(i)] - signed_value(weights.frames().at(0, i), 8)));
    CHECK(worst < 0.004);  // a pulse or two: each round leaves a tenth or so of what was missing
    device->configure({{"program.mode", std::string("pulses")}});
    FrameBuffer pulses(*device->describe().program, 1);
    for (Index i = 0; i < 120; ++i) pulses.frames().set(0, i, 128 + 20);
    const auto state = device->snapshot();
    device->program(std::as_const(pulses).frames());
    const auto after = held(*device);
    double rise = 0;
    for (std::size_t i = 0; i < 120; ++i) {
      CHECK(after[i] > before[i] - 1e-4);
      rise += (after[i] - before[i]) / 120;
    }
    CHECK(rise < 0.041 * 1.15);  // 20 pulses of 0.002, less where bounds are soft
    CHECK(rise > 0.015);
    const auto again = open(quiet + kind);
    again->restore(device->snapshot());
    CHECK(held(*again) == after);
    device->restore(state);
    CHECK(held(*device) == before);
  }
  Registry registry;
  registry.add(crossbar::model());
  for (const std::string kind : {"soft_bounds", "constant_step"})
    for (const CheckResult& result : check_device([&](const Settings& settings) {
           return registry.open("sim:crossbar,input.size=6,output.size=4,program.mode=pulses,cell.kind=" + kind,
                                settings);
         })) {
      INFO(kind << ": " << result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
      if (result.name.starts_with("a programme has an effect")) CHECK_THAT(result.detail, Catch::Contains("pulses"));
    }
  const auto other = open("preset=ideal,program.mode=pulses");
  FrameBuffer codes(*other->describe().program, 1);
  CHECK_THROWS_AS(other->program(std::as_const(codes).frames()), Unsupported);
}

}  // namespace lightloop
