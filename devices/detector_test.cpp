// The receivers that analog layers share, against closed forms.
#include "devices/detector.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "devices/random_codes_for_tests.hpp"
#include "driver/api/conformance.hpp"
#include "driver/api/registry.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop {
namespace {

const Registry& all_devices() {
  static const Registry registry = [] {
    Registry made;
    add_devices(made);
    return made;
  }();
  return registry;
}

constexpr Index kIn = 6, kOut = 4;

/// Without noise and read finely; `more` takes the place of what is said here, `last` that of both.
std::unique_ptr<Device> open(const std::string& name, const std::string& more = {}, const std::string& last = {}) {
  Settings all = parse_settings("preset=ideal,input.size=6,output.size=4,adc.bits=16,adc.range=1");
  for (const std::string& settings : {more, last})
    if (!settings.empty())
      for (const auto& [key, value] : parse_settings(settings)) all[key] = value;
  return all_devices().open("sim:" + name + "," + format_settings(all));
}

std::unique_ptr<Device> programmed(const std::string& name, const std::string& more, const std::string& last = {}) {
  auto device = open(name, more, last);
  device->program(random_codes(*device->describe().program, 1, 1).frames());
  return device;
}

/// Answers over the ADC's range, one row per frame.
std::vector<std::vector<double>> answers(Device& device, const FrameBuffer& in, Index first, Index count,
                                         Pass pass = Pass::forward) {
  FrameFormat format = device.describe().output;
  if (pass == Pass::transposed) format.shape = device.describe().input.shape;
  FrameBuffer out(format, count);
  device.run(in.frames().slice(first, count), out.frames(),
             {.first_frame_id = static_cast<std::uint64_t>(first), .pass = pass});
  std::vector<std::vector<double>> all(static_cast<std::size_t>(count));
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < format.size(); ++i)
      all[static_cast<std::size_t>(f)].push_back(out.frames().at(f, i) / 32768.0 - 1);
  return all;
}

FrameBuffer constant(const FrameFormat& format, Index count, const std::vector<std::uint32_t>& codes) {
  FrameBuffer many(format, count);
  for (Index f = 0; f < count; ++f)
    for (Index j = 0; j < format.size(); ++j) many.frames().set(f, j, codes[static_cast<std::size_t>(j)]);
  return many;
}

/// Mean square of all outputs without drive. Their mean is 0.
double at_rest(Device& device, Index frames) {
  const FrameBuffer in = constant(device.describe().input, frames, std::vector<std::uint32_t>(kIn, 128));
  double sum = 0;
  for (const auto& row : answers(device, in, 0, frames))
    for (const double y : row) sum += y * y / static_cast<double>(frames * kOut);
  return sum - std::pow(1.0 / 32768, 2) / 12;
}

constexpr double kPhotonJ = 6.62607015e-34 * 299792458.0 / 1550e-9;

/// A device whose receivers are all its noise, and the variance of an output over their S B.
struct Receiving {
  const char *name, *settings;
  double per_density, cutoff_hz;
  bool filter = true, diodes = true;
};
const double kPulse = 1e-9 / kElectronCharge / (2 * 0.8 * 1e4);  // electrons of 1 A in 1 ns, over the gain
const Receiving kReceivers[] = {
    {"crossbar", "cell.current_a=2e-7,", 2.5e13, 2e6, false, false},
    {"mzi_mesh", "photons=1e4,local_power_w=1e-4,", 1 / (4 * 1e-4 * 1e4 * kPhotonJ / 1e-9), 6e8},
    {"tt_rfnn", "power_w=1e-7,local_power_w=1e-4,", 1 / (4 * 1e-11), 6e7},
    {"homodyne", "multiplexing=space,", kPulse* kPulse, 6e8}};

/// Two-sided 1.1e-5: alpha 1e-3 for all checks of a test together.
constexpr double kOneOfMany = 4.4;

}  // namespace

TEST_CASE("receivers of all layers have the same settings, and reports know their noise") {
  const auto found = [](const Device& device, const std::string& name) {
    const auto& infos = device.settings().infos();
    const auto info = std::ranges::find(infos, name, &ParamInfo::name);
    return info == infos.end() ? nullptr : &*info;
  };
  const auto ring = open("ring_bank");
  for (const Receiving& one : kReceivers) {
    const auto device = open(one.name);
    for (const char* name : {"detector.bandwidth_hz", "detector.load_ohm", "detector.amplifier_a2_hz",
                             "detector.temperature_k", "detector.dark_a", "detector.order", "laser.rin_hz"}) {
      INFO(one.name << ": " << name);
      const ParamInfo *here = found(*device, name), *there = found(*ring, name);
      const bool light = std::string(name) == "detector.dark_a" || std::string(name) == "laser.rin_hz";
      const bool expected = light ? one.diodes : std::string(name) != "detector.order" || one.filter;
      REQUIRE((here != nullptr) == expected);
      if (!here) continue;
      CHECK(here->unit == there->unit);
      CHECK(here->max == there->max);
      CHECK(here->off == there->off);
      CHECK((!here->off || light || std::string(name) == "detector.order" ||
             here->only_with.starts_with("detector.noise=true")));
    }
    CHECK_FALSE(device->settings().boolean("detector.noise"));
  }
}

// Null: variance S B per_density, S = 4 k T / R_L, the amplifier's or 2 q 2 I_dark; B the bandwidth, or behind a filter
// its noise bandwidth, which keeps S B. Two-sided, n 8000.
TEST_CASE("thermal, amplifier and dark noise are their density times the noise bandwidth, on every layer") {
  for (const Receiving& one : kReceivers)
    for (const int order : {0, 1, 3, 5}) {
      if (order > 0 && !one.filter) continue;
      const double bandwidth = order == 0 ? one.cutoff_hz : butterworth_noise_bandwidth(order, one.cutoff_hz);
      const std::string settings = one.settings + std::string("detector.noise=true,detector.load_ohm=0") +
                                   ",detector.bandwidth_hz=" + to_string(Value(one.cutoff_hz)) +
                                   (one.diodes ? ",detector.dark_a=0" : "") +
                                   (order == 0 ? "" : ",detector.order=" + std::to_string(order));
      std::vector<std::pair<std::string, double>> sources{
          {"detector.load_ohm=50,detector.temperature_k=200", 4 * kBoltzmann * 200 / 50},
          {"detector.amplifier_a2_hz=1e-22", 1e-22}};
      if (one.diodes) sources.push_back({"detector.dark_a=5e-5", 2 * kElectronCharge * 1e-4});
      if (std::string(one.name) == "tt_rfnn") sources.push_back({"detector.shot=true", 2 * kElectronCharge * 1e-4});
      for (const auto& [source, density] : sources) {
        INFO(one.name << ", order " << order << ", " << source);
        const auto device = open(one.name, settings, source);
        CHECK_FALSE(device->describe().deterministic);
        const double expected = density * bandwidth * one.per_density;
        REQUIRE(expected < 0.04);  // nothing is clipped
        CHECK(std::abs(at_rest(*device, 2000) / expected - 1) < kOneOfMany * std::sqrt(2.0 / 8000));
      }
    }
}

// Null: an integrator over T = n / symbol_rate has B = 1 / (2 T), its charge S T / (2 q^2). Two-sided, n 8000.
TEST_CASE("pulses that are added up gather the receivers' noise of their pass") {
  const auto device = open("homodyne",
                           "multiplexing=time,detector.noise=true,detector.dark_a=0,detector.load_ohm=100,"
                           "photons.input=1e5,photons.weight=1e5,efficiency=1");
  for (const Pass pass : {Pass::forward, Pass::transposed}) {
    const Index n_in = pass == Pass::forward ? kIn : kOut, n_out = kIn + kOut - n_in;
    FrameFormat format = device->describe().input;
    format.shape = {n_in};
    const Index frames = 8000 / n_out;
    double sum = 0;
    for (const auto& row :
         answers(*device, constant(format, frames, std::vector<std::uint32_t>(kIn, 128)), 0, frames, pass))
      for (const double y : row) sum += y * y / static_cast<double>(frames * n_out);
    const double expected =
        4 * kBoltzmann * 300 / 100 * static_cast<double>(n_in) * 1e-9 / 2 / std::pow(kElectronCharge * 2e5, 2);
    CHECK(std::abs(sum / (expected + std::pow(1.0 / 32768, 2) / 12) - 1) <
          kOneOfMany * std::sqrt(2.0 / static_cast<double>(frames * n_out)));
  }
}

// Null: the variance of the vacuum over a frame, 1 / (4 photons), and of counts, times 2 B T. Two-sided, n 8000.
TEST_CASE("shot noise behind a filter has its noise bandwidth") {
  for (const int order : {0, 2, 4}) {
    const double part = order == 0 ? 1 : 2 * butterworth_noise_bandwidth(order, 7e8) * 1e-9;
    const std::string filter = order == 0 ? "" : ",detector.bandwidth_hz=7e8,detector.order=" + std::to_string(order);
    INFO("order " << order);
    const auto mesh = open("mzi_mesh", "vacuum_noise=true,photons=1e3" + filter);
    CHECK(std::abs(at_rest(*mesh, 2000) / (part / 4e3) - 1) < kOneOfMany * std::sqrt(2.0 / 8000));
    const auto pulses = open("homodyne",
                             "multiplexing=space,photon_noise=true,dark=1e4,photons.input=1e3,"
                             "photons.weight=1e3,efficiency=1" +
                                 filter);
    CHECK(std::abs(at_rest(*pulses, 2000) / (part * 2e4 / 4e6) - 1) < kOneOfMany * std::sqrt(2.0 / 8000));
  }
}

// Null: the difference of counts has the variance of the photons, and of y (1 + xi sqrt(rin B) / 2) besides. Two-sided,
// n 4000 for each output.
TEST_CASE("intensity noise is common to both diodes of a pair: it cancels but for what it does to the beat") {
  const double rin = 1e-12, bandwidth = 5e8, photons = 1e8;
  const std::string settings =
      "multiplexing=space,photon_noise=true,photons.input=1e8,photons.weight=1e8,efficiency=1,adc.range=4,weight.bits="
      "8,"
      "detector.bandwidth_hz=0,laser.rin_hz=";
  const auto device = open("homodyne", settings + "1e-12"), still = open("homodyne", settings + "0");
  FrameBuffer weights(*device->describe().program, 1);
  for (Index i = 0; i < kOut; ++i)
    for (Index j = 0; j < kIn; ++j) weights.frames().set(0, i * kIn + j, (i < 2) == (j < 3) ? 240 : 128);
  const FrameBuffer in = constant(device->describe().input, 4000, {128, 128, 128, 250, 250, 250});
  const double v = 122.0 / 128, w = 112.0 / 128, beat = 3 * v * w, lit = photons * 3 * (v * v + w * w);
  for (Device* one : {device.get(), still.get()}) {
    one->program(std::as_const(weights).frames());
    const auto y = answers(*one, in, 0, 4000);
    for (std::size_t i = 0; i < kOut; ++i) {
      double mean = 0, variance = 0;
      for (const auto& row : y) mean += 4 * row[i] / 4000;
      for (const auto& row : y) variance += std::pow(4 * row[i] - mean, 2) / 3999;
      const double shot = lit / std::pow(2 * photons, 2), light = one == device.get() ? rin * bandwidth / 4 : 0.0;
      const double expected = shot + (i < 2 ? 0 : beat * beat * light) + std::pow(4.0 / 32768, 2) / 12;
      INFO("output " << i << ", " << variance << ", shot " << shot << ", light on one diode " << lit * lit * light);
      CHECK(std::abs(mean - (i < 2 ? 0 : beat)) < kOneOfMany * std::sqrt(expected / 4000) + 2e-4);
      CHECK(std::abs(variance / expected - 1) < kOneOfMany * std::sqrt(2.0 / 4000));
    }
  }
  // a single diode would have seen 400 times the noise of its photons
  CHECK(std::pow(photons * 3 * v * v, 2) * rin * bandwidth > 400 * lit);
}

namespace {
const std::pair<const char*, std::string> kFiltered[] = {
    {"mzi_mesh", "detector.order=4,detector.bandwidth_hz=6e8"},
    {"tt_rfnn", "detector.order=2,detector.bandwidth_hz=2e7"},
    {"homodyne", "multiplexing=space,adc.range=8,detector.order=4,detector.bandwidth_hz=6e8"}};
}  // namespace

TEST_CASE("a layer's filter lets former frames of its pass through by its sampled response, and forgets in the dark") {
  for (const auto& [name, settings] : kFiltered) {
    INFO(name);
    const auto still = programmed(name, settings, "detector.order=0"), device = programmed(name, settings);
    CHECK_FALSE(still->describe().stateful);
    CHECK(device->describe().stateful);
    const ParamSet& set = device->settings();
    const std::vector<double> taps =
        symbol_response(static_cast<int>(set.integer("detector.order")), set.real("detector.bandwidth_hz"),
                        device->describe().cost.frame_s);
    REQUIRE(taps.size() > 3);
    REQUIRE(std::abs(taps[0] - 1) > 0.01);
    const FrameBuffer in = random_codes(device->describe().input, 60, 2);
    FrameFormat back = device->describe().input;
    back.shape = {kOut};
    const FrameBuffer from = random_codes(back, 60, 3);
    double worst = 0, apart = 0;
    std::vector<std::vector<double>> seen[2];  // what each end saw without a filter, 0 while the other read
    for (const auto& [first, count, pass] : std::vector<std::tuple<Index, Index, Pass>>{{0, 20, Pass::forward},
                                                                                        {20, 2, Pass::transposed},
                                                                                        {22, 10, Pass::forward},
                                                                                        {32, 20, Pass::transposed},
                                                                                        {52, 8, Pass::forward}}) {
      const std::size_t end = pass == Pass::forward ? 0 : 1;
      const FrameBuffer& shown = end == 0 ? in : from;
      const auto x = answers(*still, shown, first, count, pass), y = answers(*device, shown, first, count, pass);
      for (std::size_t f = 0; f < y.size(); ++f) {
        seen[end].push_back(x[f]);
        seen[1 - end].push_back(std::vector<double>(static_cast<std::size_t>(end == 0 ? kIn : kOut), 0.0));
        for (std::size_t i = 0; i < y[f].size(); ++i) {
          double sum = 0;
          for (std::size_t k = 0; k < std::min(taps.size(), seen[end].size()); ++k)
            sum += taps[k] * seen[end][seen[end].size() - 1 - k][i];
          worst = std::max(worst, std::abs(sum - y[f][i]));
          apart = std::max(apart, std::abs(x[f][i] - y[f][i]));
        }
      }
    }
    CHECK(worst < 2.5 / 32768);
    CHECK(apart > 100.0 / 32768);
  }
}

TEST_CASE("what a layer's filter holds is state: cuts, snapshots, reset and a write") {
  const std::string noise = ",detector.noise=true,laser.rin_hz=1e-13,input_noise=0.01";
  for (const auto& [name, settings] : kFiltered) {
    INFO(name);
    const auto whole = programmed(name, settings + noise), cut = programmed(name, settings + noise);
    const FrameBuffer in = random_codes(whole->describe().input, 50, 2);
    const auto expected = answers(*whole, in, 0, 50);
    std::vector<std::vector<double>> parts;
    const int had = threads();
    for (const auto& [first, count] : std::vector<std::pair<Index, Index>>{{0, 1}, {1, 3}, {4, 20}, {24, 26}}) {
      set_threads(first % 2 == 0 ? had : 3);
      const auto part = answers(*cut, in, first, count);
      parts.insert(parts.end(), part.begin(), part.end());
      const auto fresh = open(name, settings + noise);
      fresh->restore(cut->snapshot());
      CHECK(fresh->snapshot() == cut->snapshot());
    }
    set_threads(had);
    CHECK(parts == expected);
    const std::vector<std::vector<double>> begin(expected.begin(), expected.begin() + 5);
    CHECK(answers(*cut, in, 0, 5) != begin);  // still sees frame 49
    cut->reset();
    CHECK(answers(*cut, in, 0, 5) == begin);
    const SelfTest tested = cut->self_test();
    INFO(tested.detail);
    CHECK(tested.passed);
    CHECK(cut->snapshot() == [&] {
      const auto again = programmed(name, settings + noise);
      answers(*again, in, 0, 5);
      return again->snapshot();
    }());
    const auto calm = programmed(name, settings + ",output_noise=0");
    const auto first = answers(*calm, in, 0, 5);
    calm->program(random_codes(*calm->describe().program, 1, 1).frames());
    CHECK(answers(*calm, in, 0, 5) == first);
    cut->configure({{"detector.bandwidth_hz", 2e9}});  // remembers less
    CHECK_THROWS_AS(cut->restore(whole->snapshot()), InvalidParameter);
    CHECK_THROWS_AS(cut->configure({{"detector.bandwidth_hz", 1.0}}), OutOfRange);
    CHECK(cut->settings().real("detector.bandwidth_hz") == 2e9);
  }
}

TEST_CASE("layers with filters keep the contract, and refuse filters that read no frame") {
  for (const auto& [name, settings] : kFiltered) {
    const std::string device = std::string("sim:") + name + ",input.size=6,output.size=3," + settings;
    for (const CheckResult& result :
         check_device([&](const Settings& more) { return all_devices().open(device, more); })) {
      INFO(name << ": " << result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
    }
  }
  CHECK_THROWS_WITH(open("mzi_mesh", "detector.order=8,detector.bandwidth_hz=7e8"),
                    Catch::Matchers::Contains("of the one before"));
  CHECK_THROWS_AS(open("homodyne", "detector.order=2,detector.bandwidth_hz=7e8"), Unsupported);
  CHECK_THROWS_WITH(open("homodyne", "multiplexing=space,detector.order=2"), Catch::Matchers::Contains("above 0"));
}

TEST_CASE("real receivers take energy and time") {
  const auto part = [](const Device& device, const char* name) {
    const auto& parts = device.describe().cost.parts;
    const auto found = std::ranges::find(parts, name, &CostPart::name);
    return found == parts.end() ? CostPart{} : *found;
  };
  const auto perfect = open("crossbar"), real = open("crossbar", "detector.noise=true,detector.bandwidth_hz=1e7");
  CHECK(part(*perfect, "tia").frame_j == 0);
  CHECK(part(*real, "tia").frame_j == Approx(kOut * kAmplifierW * 130e-9));
  CHECK(part(*real, "tia").latency_s == Approx(noise_rise_time_s(1e7)));
  const CostModel &before = perfect->describe().cost, &after = real->describe().cost;
  CHECK((after.power_w - before.power_w) == Approx(kOut * kAmplifierW));
  real->configure({{"detector.noise", false}});
  CHECK(real->describe().cost.joules(1) == Approx(before.joules(1)).epsilon(1e-12));
  for (const char* name : {"mzi_mesh", "tt_rfnn", "homodyne"}) {
    INFO(name);
    const auto receiver = open(name, "preset=receiver");
    CHECK(part(*receiver, "tia").frame_j == Approx(kOut * kAmplifierW * receiver->describe().cost.frame_s));
  }
  const auto train = open("tt_rfnn", kFiltered[1].second);  // a filter is a real receiver
  CHECK(part(*train, "tia").frame_j == Approx(kOut * kAmplifierW * train->describe().cost.frame_s));
  CHECK(part(*open("mzi_mesh", kFiltered[0].second), "tia").latency_s == Approx(rise_time_s(6e8)));
}

}  // namespace lightloop
