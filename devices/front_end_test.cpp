// The converters and the stages around them, the same on every analog layer.
#include "devices/front_end.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "devices/random_codes_for_tests.hpp"
#include "driver/api/registry.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/converter.hpp"

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

const char* const kLayers[] = {"crossbar", "mzi_mesh", "tt_rfnn", "ring_bank", "homodyne"};

/// Opened, with a random programme. `more` takes the place of what `settings` say.
std::unique_ptr<Device> open(const std::string& name, const std::string& settings, const std::string& more = {}) {
  Settings all = parse_settings("input.size=12,output.size=7" + (settings.empty() ? "" : "," + settings));
  if (!more.empty())
    for (const auto& [key, value] : parse_settings(more)) all[key] = value;
  auto device = all_devices().open("sim:" + name + "," + format_settings(all));
  device->program(random_codes(*device->describe().program, 1, 1).frames());
  return device;
}

struct Said {
  std::vector<std::uint32_t> codes;
  std::int64_t saturated = 0;
};

/// Frames [first, first + count) of `in`, which are numbered from 0.
Said run(Device& device, const FrameBuffer& in, Index first = 0, Index count = -1, Pass pass = Pass::forward) {
  if (count < 0) count = in.frames().count - first;
  FrameFormat format = device.describe().output;
  if (pass == Pass::transposed) format.shape = device.describe().input.shape;
  FrameBuffer out(format, count);
  Said said;
  said.saturated = device
                       .run(in.frames().slice(first, count), out.frames(),
                            {.first_frame_id = static_cast<std::uint64_t>(first), .pass = pass})
                       .saturated;
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < format.size(); ++i) said.codes.push_back(std::as_const(out).frames().at(f, i));
  return said;
}

double number(std::uint32_t code, int bits) { return code / std::ldexp(1.0, bits - 1) - 1; }

/// `settings` that leave a device's own noise out, read finely.
std::string quiet(const std::string& range) { return "preset=ideal,adc.bits=16,adc.range=" + range; }

/// What the programme of a quiet device is as a matrix (7 x 12): answers to inputs at -1 against those at 0.
std::vector<double> held(const std::string& name) {
  const auto device = open(name, quiet("8"), "dac.bits=8");
  FrameBuffer in(device->describe().input, 13);
  for (Index f = 0; f < 13; ++f)
    for (Index j = 0; j < 12; ++j) in.frames().set(f, j, f == j ? 0 : 128);
  const Said said = run(*device, in);
  std::vector<double> w;
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t j = 0; j < 12; ++j)
      w.push_back(8 * (number(said.codes[12 * 7 + i], 16) - number(said.codes[j * 7 + i], 16)));
  return w;
}

/// The same frame `count` times.
FrameBuffer repeated(const FrameFormat& format, Index count, double low, double high) {
  const FrameBuffer one = random_codes(format, 1, 4, low, high);
  FrameBuffer many(format, count);
  for (Index f = 0; f < count; ++f)
    for (Index j = 0; j < format.size(); ++j) many.frames().set(f, j, one.frames().at(0, j));
  return many;
}

struct Moments {
  double mean = 0, variance = 0;
};

/// Of every output over frames of the same kind, in units of y.
std::vector<Moments> moments(const Said& said, std::size_t outputs, double range) {
  std::vector<Moments> all(outputs);
  const double n = static_cast<double>(said.codes.size() / outputs);
  for (std::size_t k = 0; k < said.codes.size(); ++k) all[k % outputs].mean += range * number(said.codes[k], 16) / n;
  for (std::size_t k = 0; k < said.codes.size(); ++k) {
    const double off = range * number(said.codes[k], 16) - all[k % outputs].mean;
    all[k % outputs].variance += off * off / (n - 1);
  }
  return all;
}

/// Two-sided 1.1e-5: alpha 1e-3 for all the 90 or so outputs of a test together.
constexpr double kOneOfMany = 4.4;

bool plausible_variance(double measured, double expected, double n) {
  CAPTURE(measured, expected);
  return std::abs(measured / expected - 1) < kOneOfMany * std::sqrt(2 / n);
}

}  // namespace

TEST_CASE("analog layers share the settings of their front end, and reports know its sources of error") {
  for (const char* name : kLayers) {
    INFO(name);
    const auto device = open(name, "");
    const ParamSet& settings = device->settings();
    const auto found = [&](const std::string& setting) {
      const auto info = std::ranges::find(settings.infos(), setting, &ParamInfo::name);
      REQUIRE(info != settings.infos().end());
      return *info;
    };
    for (const char* source : {"input_noise", "output_noise", "s_shape", "asymmetry"})
      CHECK(found(source).off == Value(0.0));
    for (const char* noise : {"input_noise", "output_noise"}) {
      CHECK_FALSE(found(std::string(noise) + "_law").off);  // no source beside the noise
      CHECK(found(std::string(noise) + "_law").only_with == noise);
    }
    for (const std::string converter : {"dac", "adc"}) {
      CHECK(settings.integer(converter + ".levels") == 0);
      const auto bits = std::ranges::find(settings.infos(), converter + ".bits", &ParamInfo::name);
      CHECK(bits->only_with.starts_with(converter + ".levels=0"));  // and beside what makes outputs smaller
      CHECK(found(converter + ".rounding").off == Value(std::string("nearest")));
    }
  }
}

// Codes of the devices as they were before they shared a front end.
TEST_CASE("without levels, input noise and bends every layer has the codes that it always had") {
  const std::vector<std::pair<const char*, std::vector<std::uint32_t>>> golden{
      {"crossbar", {129, 99, 124, 133}},
      {"crossbar,input_noise=0.03,s_shape=0.2,asymmetry=0.1", {129, 110, 125, 131}},
      {"mzi_mesh", {506, 523, 468, 598}},
      {"tt_rfnn", {472, 474, 489, 537}},
      {"ring_bank", {501, 218, 463, 561}},
      {"homodyne", {508, 368, 486, 536}}};
  for (const auto& [name, codes] : golden) {
    INFO(name);
    const auto device = all_devices().open(std::string("sim:") + name + ",input.size=13,output.size=9");
    const auto uniform = [](const FrameFormat& format, std::uint64_t set) {
      FrameBuffer frame(format, 1);
      for (Index i = 0; i < format.size(); ++i)
        frame.frames().set(
            0, i,
            static_cast<std::uint32_t>(Stream(1, set, Purpose::user).uniform(0, static_cast<std::uint64_t>(i)) *
                                       (format.highest() + 1.0)));
      return frame;
    };
    device->program(uniform(*device->describe().program, 0).frames());
    FrameBuffer out(device->describe().output, 1);
    device->run(uniform(device->describe().input, 1).frames(), out.frames(), {.first_frame_id = 5});
    for (Index i = 0; i < 4; ++i) CHECK(out.frames().at(0, i) == codes[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("a DAC of fewer levels answers as to the codes of its levels") {
  for (const char* name : kLayers) {
    INFO(name);
    const auto plain = open(name, ""), few = open(name, "dac.levels=17");
    FrameBuffer in = random_codes(plain->describe().input, 50, 2), rounded(plain->describe().input, 50);
    for (Index f = 0; f < 50; ++f)
      for (Index j = 0; j < 12; ++j) {
        const std::uint32_t code = std::min(in.frames().at(f, j), 247u);  // the level at 1 has no code of its own
        in.frames().set(f, j, code);
        rounded.frames().set(f, j, static_cast<std::uint32_t>(128 + 16 * std::nearbyint((code - 128.0) / 16)));
      }
    CHECK(run(*few, in).codes == run(*plain, rounded).codes);
  }
}

TEST_CASE("an ADC of fewer levels gives codes of levels, and counts what lies beyond the last") {
  for (const char* name : kLayers)
    for (const int levels : {7, 6}) {
      const double half = (levels - 1) / 2.0, between = levels == 6 ? 0.5 : 0;
      const std::string range = std::string(name) == "crossbar" || std::string(name) == "homodyne" ? "1" : "0.3";
      const auto fine = open(name, quiet(range)),
                 few = open(name, quiet(range), "adc.bits=8,adc.levels=" + std::to_string(levels));
      const FrameBuffer in = random_codes(fine->describe().input, 200, 2);
      const Said exact = run(*fine, in), rounded = run(*few, in);
      std::int64_t beyond = 0, wrong = 0, ends = 0;
      for (std::size_t i = 0; i < exact.codes.size(); ++i) {
        const bool end = exact.codes[i] == 0 || exact.codes[i] == 65535;  // may lie anywhere beyond
        const double k = half * number(exact.codes[i], 16) - between;
        if (!end && std::abs(std::abs(k - std::floor(k)) - 0.5) > 2e-3) {  // not between two levels
          const double level = std::clamp(std::nearbyint(k) + between, -half, half) / half;
          wrong += rounded.codes[i] != static_cast<std::uint32_t>(std::min(255.0, std::nearbyint(128 + 128 * level)));
        }
        beyond += end;
        ends += rounded.codes[i] == 0 || rounded.codes[i] == 255;
      }
      INFO(name << ": " << exact.saturated << " clipped at fine codes, " << rounded.saturated << " of " << levels);
      CHECK(wrong == 0);
      CHECK(exact.saturated > 0);
      CHECK(rounded.saturated <= exact.saturated);  // half a step of room at either end
      CHECK(beyond >= rounded.saturated);
      CHECK(ends >= rounded.saturated);  // what is clipped lies at an end
    }
}

TEST_CASE("levels that no converter has are refused, and fewer of them take the energy of their bits") {
  for (const char* name : kLayers) {
    INFO(name);
    for (const char* wrong : {"dac.levels=1", "dac.levels=128", "dac.levels=129", "adc.bits=4,adc.levels=9"}) {
      const bool dac = wrong[0] == 'd';
      CHECK_THROWS_WITH(open(name, wrong), Catch::Matchers::Contains(dac ? "dac.levels" : "adc.levels") &&
                                               Catch::Matchers::Contains(dac ? "from 2 to 127" : "from 2 to 7"));
    }
    const auto joules = [&](const std::string& settings, const char* part) {
      const auto device = open(name, settings);
      return std::ranges::find(device->describe().cost.parts, part, &CostPart::name)->frame_j;
    };
    CHECK(joules("adc.bits=10,adc.levels=33", "adc") == Approx(7 * adc_energy_j(6)));
    const bool joint = std::string(name) == "homodyne";  // with the modulators
    CHECK(joules("dac.levels=33", joint ? "inputs" : "dac") ==
          Approx(12 * (dac_energy_j(6) + (joint ? kModulatorJ : 0.0))));
  }
}

// Null: mean sum_j w_ij v_j, variance input_noise^2 sum_j w_ij^2. Two-sided, alpha 1e-3 for all outputs together, n
// 2000 for each.
TEST_CASE("noise of the inputs arrives through the weights, in both directions") {
  for (const char* name : kLayers) {
    const std::vector<double> w = held(name);
    const auto device = open(name, quiet("4"), "input_noise=0.05"), still = open(name, quiet("4"));
    CHECK_FALSE(device->describe().deterministic);
    CHECK(still->describe().deterministic);
    for (const bool forward : {true, false}) {
      if (!forward && !device->describe().transposed) continue;
      const std::size_t n_in = forward ? 12 : 7, n_out = 19 - n_in;
      FrameFormat format = device->describe().input;
      format.shape = {static_cast<Index>(n_in)};
      const FrameBuffer in = repeated(format, 2000, 0.2, 0.8);
      const Pass pass = forward ? Pass::forward : Pass::transposed;
      const auto got = moments(run(*device, in, 0, -1, pass), n_out, 4),
                 exact = moments(run(*still, in, 0, 2, pass), n_out, 4);
      for (std::size_t i = 0; i < n_out; ++i) {
        double squares = 0;
        for (std::size_t j = 0; j < n_in; ++j) squares += std::pow(forward ? w[12 * i + j] : w[12 * j + i], 2);
        const double expected = 0.05 * 0.05 * squares + std::pow(4.0 / 32768, 2) / 12;
        INFO(name << (forward ? ", forward" : ", transposed") << ", output " << i);
        CHECK(plausible_variance(got[i].variance, expected, 2000));
        CHECK(std::abs(got[i].mean - exact[i].mean) < kOneOfMany * std::sqrt(expected / 2000) + 4.0 / 32768);
      }
    }
  }
}

// Null: y bent as in the header, then noise of the stated sd on top. Two-sided, alpha 1e-3 for all outputs
// together, n 2000 for each.
TEST_CASE("outputs saturate softly, then lose on the negative side, then meet their noise") {
  for (const char* name : kLayers) {
    const auto exact = open(name, quiet("4")), bent = open(name, quiet("4"), "s_shape=0.8,asymmetry=0.3"),
               noisy = open(name, quiet("4"), "s_shape=0.8,asymmetry=0.3,output_noise=0.02"),
               straight = open(name, quiet("4"), "output_noise=0.02");
    CHECK(bent->describe().deterministic);
    CHECK_FALSE(noisy->describe().deterministic);
    const FrameBuffer in = repeated(exact->describe().input, 2000, 0, 1);
    const auto y = moments(run(*exact, in, 0, 2), 7, 4), z = moments(run(*bent, in, 0, 2), 7, 4),
               behind = moments(run(*noisy, in), 7, 4), before = moments(run(*straight, in), 7, 4);
    for (std::size_t i = 0; i < 7; ++i) {
      INFO(name << ", output " << i);
      const double soft = y[i].mean / (1 + 0.8 * std::abs(y[i].mean));
      CHECK(z[i].mean == Approx(soft < 0 ? 0.7 * soft : soft).margin(2 * 4.0 / 32768));
      CHECK(plausible_variance(behind[i].variance, 0.02 * 0.02, 2000));
      CHECK(plausible_variance(before[i].variance, 0.02 * 0.02, 2000));
      CHECK(std::abs(behind[i].mean - z[i].mean) < kOneOfMany * 0.02 / std::sqrt(2000.0) + 4.0 / 32768);
    }
  }
}

TEST_CASE("noise of the physics is bent with the signal (two-sided, alpha 1e-3 for all, n 4000)") {
  const auto device = open("mzi_mesh", quiet("4"), "vacuum_noise=true,photons=1e4,asymmetry=0.5");
  const FrameBuffer in = repeated(device->describe().input, 4000, 0, 1);
  int negative = 0;
  for (const Moments& m : moments(run(*device, in), 7, 4)) {
    if (std::abs(m.mean) < 0.03) continue;  // draws of both signs
    negative += m.mean < 0;
    CHECK(plausible_variance(m.variance, (m.mean < 0 ? 0.25 : 1.0) * 0.25e-4, 4000));
  }
  CHECK(negative > 0);
}

TEST_CASE("a device whose DAC has no level at 0 passes its own test, and drives as before after it") {
  for (const char* name : kLayers)
    for (const char* settings : {"dac.levels=2", "dac.levels=4", "dac.levels=64", "dac.bits=2",
                                 "dac.levels=2,s_shape=0.1,asymmetry=0.3,input_noise=0.02"}) {
      INFO(name << ": " << settings);
      const auto device = open(name, settings);
      const FrameBuffer in = random_codes(device->describe().input, 20, 2);
      const Said before = run(*device, in);
      const SelfTest tested = device->self_test();
      INFO(tested.detail);
      CHECK(tested.passed);
      CHECK(run(*device, in).codes == before.codes);
    }
}

namespace {

struct Law {
  const char* name;
  double fourth, eighth;  ///< moments, variance 1
};
const Law kLaws[] = {{"gaussian", 3, 105}, {"laplacian", 6, 2520}, {"uniform", 1.8, 9}};

}  // namespace

// Null: variance output_noise^2 and the fourth moment of the law, all outputs together; the mean stays. Two-sided, n
// 28000; 4.4 standard errors: alpha 1e-3 for all.
TEST_CASE("noise of the outputs has the law that it is told, bent or not") {
  for (const char* name : kLayers)
    for (const Law& law : kLaws)
      for (const char* bend : {"", ",s_shape=0.1"}) {
        INFO(name << ", " << law.name << bend);
        const auto still = open(name, quiet("4"), std::string("adc.levels=0") + bend);
        const auto device =
            open(name, quiet("4"), std::string("output_noise=0.02,output_noise_law=") + law.name + bend);
        CHECK_FALSE(device->describe().deterministic);
        const FrameBuffer in = repeated(device->describe().input, 4000, 0, 1);
        const Said exact = run(*still, in, 0, 1), noisy = run(*device, in);
        double mean = 0, square = 0, fourth = 0, most = 0;
        const double n = static_cast<double>(noisy.codes.size());
        for (std::size_t k = 0; k < noisy.codes.size(); ++k) {
          const double z = 4 * (number(noisy.codes[k], 16) - number(exact.codes[k % 7], 16)) / 0.02;
          mean += z / n;
          square += z * z / n;
          fourth += z * z * z * z / n;
          most = std::max(most, std::abs(z));
        }
        CHECK(std::abs(mean) < kOneOfMany / std::sqrt(n) + 4.0 / 32768 / 0.02);
        CHECK(std::abs(square - 1) < kOneOfMany * std::sqrt((law.fourth - 1) / n) + 1e-4);
        CHECK(std::abs(fourth - law.fourth) <
              kOneOfMany * std::sqrt((law.eighth - law.fourth * law.fourth) / n) + 1e-3);
        if (law.fourth < 3) CHECK(most < std::sqrt(3.0) + 0.01);
      }
}

// Null: of sum_j w_ij xi_j the variance is that of the sd, and the fourth moment 3 + (law's - 3) sum w^4 / (sum w^2)^2.
// Two-sided, n 28000; 4.4 standard errors, of the fourth moment those of the law that has the larger ones.
TEST_CASE("noise of the inputs has the law that it is told") {
  for (const char* name : kLayers)
    for (const Law& law : kLaws) {
      INFO(name << ", " << law.name);
      const std::vector<double> w = held(name);
      const auto still = open(name, quiet("4")),
                 device = open(name, quiet("4"), std::string("input_noise=0.03,input_noise_law=") + law.name);
      const FrameBuffer in = repeated(device->describe().input, 4000, 0.3, 0.8);
      const Said exact = run(*still, in, 0, 1), noisy = run(*device, in);
      double square = 0, fourth = 0, expected = 0;
      const double n = static_cast<double>(noisy.codes.size());
      for (std::size_t i = 0; i < 7; ++i) {
        double squares = 0, fourths = 0;
        for (std::size_t j = 0; j < 12; ++j)
          squares += std::pow(w[12 * i + j], 2), fourths += std::pow(w[12 * i + j], 4);
        expected += (3 + (law.fourth - 3) * fourths / (squares * squares)) / 7;
        const double sd = std::sqrt(0.03 * 0.03 * squares + std::pow(4.0 / 32768, 2) / 6);
        for (std::size_t k = i; k < noisy.codes.size(); k += 7) {
          const double z = 4 * (number(noisy.codes[k], 16) - number(exact.codes[i], 16)) / sd;
          square += z * z / n;
          fourth += z * z * z * z / n;
        }
      }
      CHECK(std::abs(square - 1) < kOneOfMany * std::sqrt((std::max(3.0, expected) - 1) / n) + 2e-3);
      CHECK(std::abs(fourth - expected) < kOneOfMany * std::sqrt((law.fourth > 3 ? 400 : 96) / n) + 1e-2);
    }
}

// Null: mean that without noise; variance sd^2 |y| (poisson), sd^2 |y| (1 - |y| / 4) (binomial) of an output y, and
// sum_j w_ij^2 sd^2 |v_j| (1 - |v_j|, binomial) where inputs v are counted. Two-sided, n 4000 for each of 7
// outputs; 4.4 standard errors: alpha 1e-3 for all.
TEST_CASE("counted carriers at both ends have the mean and the variance of their law") {
  for (const char* name : kLayers)
    for (const char* law : {"poisson", "binomial"}) {
      INFO(name << ", " << law);
      const bool binomial = std::string(law) == "binomial";
      const std::vector<double> w = held(name);
      const auto still = open(name, quiet("4")),
                 out = open(name, quiet("4"), std::string("output_noise=0.05,output_noise_law=") + law),
                 in = open(name, quiet("4"), std::string("input_noise=0.05,input_noise_law=") + law);
      CHECK_FALSE(out->describe().deterministic);
      const FrameBuffer frames = repeated(still->describe().input, 4000, 0.3, 0.8);
      const auto exact = moments(run(*still, frames, 0, 2), 7, 4), of_out = moments(run(*out, frames), 7, 4),
                 of_in = moments(run(*in, frames), 7, 4);
      for (std::size_t i = 0; i < 7; ++i) {
        INFO("output " << i);
        const double rounding = std::pow(4.0 / 32768, 2) / 6, y = std::abs(exact[i].mean);
        const double at_out = 0.0025 * y * (binomial ? 1 - y / 4 : 1) + rounding;
        double at_in = rounding;
        for (std::size_t j = 0; j < 12; ++j) {
          const double v = std::abs(number(frames.frames().at(0, static_cast<Index>(j)), 8));
          at_in += 0.0025 * std::pow(w[12 * i + j], 2) * v * (binomial ? 1 - v : 1);
        }
        CHECK(std::abs(of_out[i].mean - exact[i].mean) < kOneOfMany * std::sqrt(at_out / 4000) + 4.0 / 32768);
        CHECK(std::abs(of_in[i].mean - exact[i].mean) < kOneOfMany * std::sqrt(at_in / 4000) + 4.0 / 32768);
        CHECK(plausible_variance(of_in[i].variance, at_in, 4000));
        if (y > 0.05) CHECK(plausible_variance(of_out[i].variance, at_out, 4000));  // 20 carriers: nearly normal
      }
    }
}

// Null: mean that of a DAC, an ADC without rounding; variance sum_j w_ij^2 f_j (1 - f_j) steps^2 of the DAC. Two-sided,
// n 4000 for each of 7 outputs; 4.4 standard errors: alpha 1e-3 for all.
TEST_CASE("converters that round at random are right on average") {
  for (const char* name : kLayers) {
    INFO(name);
    const std::vector<double> w = held(name);
    const auto fine = open(name, quiet("4")), dac = open(name, quiet("4"), "dac.levels=5,dac.rounding=stochastic"),
               adc = open(name, quiet("4"), "adc.bits=5,adc.rounding=stochastic"),
               unused = open(name, quiet("4"), "dac.rounding=stochastic");
    CHECK(unused->describe().deterministic);  // every code has a level
    CHECK_FALSE(dac->describe().deterministic);
    CHECK_FALSE(adc->describe().deterministic);
    const FrameBuffer in = repeated(fine->describe().input, 4000, 0, 1);
    const auto exact = moments(run(*fine, in, 0, 2), 7, 4), of_dac = moments(run(*dac, in), 7, 4);
    const Said coarse = run(*adc, in);
    for (std::size_t i = 0; i < 7; ++i) {
      INFO("output " << i);
      double variance = 0;
      for (std::size_t j = 0; j < 12; ++j) {
        const double k = 2 * number(in.frames().at(0, static_cast<Index>(j)), 8), f = k - std::floor(k);
        variance += f * (1 - f) * std::pow(w[12 * i + j] / 2, 2);
      }
      CHECK(std::abs(of_dac[i].mean - exact[i].mean) < kOneOfMany * std::sqrt(variance / 4000) + 4.0 / 32768);
      CHECK(plausible_variance(of_dac[i].variance, variance, 4000));
      double mean = 0;
      for (std::size_t k = i; k < coarse.codes.size(); k += 7) mean += 4 * number(coarse.codes[k], 5) / 4000;
      CHECK(std::abs(mean - exact[i].mean) < kOneOfMany * 0.25 / 2 / std::sqrt(4000.0) + 4.0 / 32768);
    }
    CHECK(run(*unused, in).codes == run(*fine, in).codes);
  }
}

TEST_CASE(
    "with every stage at work bits do not depend on threads or on how a batch is cut, and the device passes its own "
    "test") {
  const std::string stages =
      "input_noise=0.02,output_noise=0.01,s_shape=0.1,asymmetry=0.2,dac.levels=33,adc.levels=101";
  for (const std::string name : kLayers)
    for (const std::string& settings :
         {stages,
          stages + ",dac.rounding=stochastic,adc.rounding=stochastic,input_noise_law=laplacian,"
                   "output_noise_law=uniform",
          stages + ",input_noise_law=binomial,output_noise_law=poisson"}) {
      INFO(name << ", " << settings);
      const auto whole = open(name, settings), cut = open(name, settings);
      const FrameBuffer in = random_codes(whole->describe().input, 60, 2);
      const Said expected = run(*whole, in);
      Said parts = run(*cut, in, 0, 23);
      const int had = threads();
      set_threads(had == 1 ? 3 : 1);
      const Said rest = run(*cut, in, 23, 37);
      set_threads(had);
      parts.codes.insert(parts.codes.end(), rest.codes.begin(), rest.codes.end());
      CHECK(parts.codes == expected.codes);
      CHECK(parts.saturated + rest.saturated == expected.saturated);
      const SelfTest tested = whole->self_test();
      INFO(tested.detail);
      CHECK(tested.passed);
      const auto seed = open(name, settings + ",seed=2");
      CHECK(run(*seed, in).codes != expected.codes);
    }
}

}  // namespace lightloop
