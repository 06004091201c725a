#include "devices/mzi_mesh/mzi_mesh.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numbers>

#include "core/mesh_codes.hpp"
#include "core/random_unitary_for_tests.hpp"
#include "driver/api/conformance.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  registry.add(mzi_mesh::model());
  return registry.open("sim:mzi_mesh," + settings);
}

double signed_value(std::uint32_t code, int bits) { return code / std::ldexp(1.0, bits - 1) - 1.0; }

/// Programmes w / (largest singular value), which is returned.
double programme(Device& device, const Matrix<Complex>& w, const std::string& layout = "clements") {
  double scale = 0;
  const MeshPair pair = mesh_pair(parse_mesh_layout(layout), w, scale);
  const PhaseLaw law = parse_phase_law(device.settings().text("phase.law"), device.settings().real("phase.range_rad"),
                                       device.describe().program->highest());
  FrameBuffer codes(*device.describe().program, 1);
  const std::vector<double> phases = mesh_phases(pair);
  for (std::size_t i = 0; i < phases.size(); ++i) codes.frames().set(0, static_cast<Index>(i), law.code(phases[i]));
  device.program(codes.frames());
  return scale;
}

FrameBuffer random_codes(Index size, int bits, Index count) {
  FrameBuffer codes(FrameFormat{{size}, bits, ""}, count);
  const Stream stream(3, 0, Purpose::user);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < size; ++i)
      codes.frames().set(
          f, i,
          static_cast<std::uint32_t>(stream.uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(i)) *
                                     std::ldexp(1.0, bits)));
  return codes;
}

/// The first frame, so often.
FrameBuffer repeated(const FrameBuffer& one, const FrameFormat& format, Index count) {
  FrameBuffer all(format, count);
  for (Index f = 0; f < count; ++f)
    for (Index j = 0; j < format.size(); ++j) all.frames().set(f, j, one.frames().at(0, j));
  return all;
}

/// rms of (field measured - w v / scale); `shape` is that of w.
double error(Device& device, const Matrix<Complex>& w, double scale, bool complex, Pass pass = Pass::forward) {
  const int bits_in = device.describe().input.bits, bits_out = device.describe().output.bits;
  const Index n_in = pass == Pass::forward ? w.cols() : w.rows(), n_out = w.rows() + w.cols() - n_in;
  const Index parts = complex ? 2 : 1;
  const FrameBuffer in = random_codes(parts * n_in, bits_in, 50);
  FrameBuffer out(FrameFormat{{parts * n_out}, bits_out, ""}, 50);
  device.run(in.frames(), out.frames(), {.pass = pass});
  double sum = 0;
  for (Index f = 0; f < 50; ++f)
    for (Index i = 0; i < n_out; ++i) {
      Complex y = 0;
      for (Index j = 0; j < n_in; ++j) {
        const auto v = [&](Index k) { return signed_value(in.frames().at(f, k), bits_in); };
        y += (pass == Pass::forward ? w(i, j) : w(j, i)) * Complex(v(j), complex ? v(n_in + j) : 0) / scale;
      }
      const double range = device.settings().real("adc.range");
      const auto got = [&](Index k) { return range * signed_value(out.frames().at(f, k), bits_out); };
      sum += std::pow(got(i) - y.real(), 2) + (complex ? std::pow(got(n_out + i) - y.imag(), 2) : 0.0);
    }
  return std::sqrt(sum / static_cast<double>(50 * n_out * parts));
}

}  // namespace

TEST_CASE("a perfect chip is the matrix, real or complex, forwards and backwards, in both layouts and laws") {
  for (const char* layout : {"clements", "reck"})
    for (const char* law : {"linear", "voltage"})
      for (const bool complex : {false, true}) {
        INFO(layout << ", " << law << (complex ? ", complex" : ", real"));
        const auto device =
            open(std::string("preset=ideal,adc.bits=16,adc.range=8,dac.bits=12,input.size=6,output.size=9,") +
                 "mesh.layout=" + layout + ",phase.law=" + law + ",field.kind=" + (complex ? "complex" : "real"));
        const Matrix<Complex> w = gaussian_matrix(9, 6, 1);
        const double scale = programme(*device, w, layout);
        // 16-bit phases: 3e-5 rad rms (twice that at high voltage) times sqrt(N) and two meshes
        CHECK(error(*device, w, scale, complex) < 1e-3);
        CHECK(error(*device, w, scale, complex, Pass::transposed) < 1e-3);
      }
}

TEST_CASE("the controller's corrections take out splitters and heat, without them both show") {
  const Matrix<Complex> w = gaussian_matrix(16, 16, 2);
  const auto left = [&](const std::string& settings) {
    const auto device =
        open("preset=ideal,adc.bits=16,adc.range=8,splitter_error=0.02,crosstalk=0.02,correction=" + settings);
    return error(*device, w, programme(*device, w), false);
  };
  const double none = left("none"), splitters = left("splitters"), heat = left("heat"), all = left("all");
  INFO("none " << none << ", splitters " << splitters << ", heat " << heat << ", all " << all);
  CHECK(splitters < none * 1.05);
  CHECK(heat < 0.6 * none);
  CHECK(all < 0.15 * heat);
}

TEST_CASE("homodyne noise is the vacuum's 1 / 4 over the photons, for any signal (chi-square, alpha 1e-3, n 16000)") {
  const auto device = open("preset=ideal,vacuum_noise=true,photons=50,adc.bits=16,adc.range=4");
  const Matrix<Complex> w = gaussian_matrix(16, 16, 3);
  programme(*device, w);
  const FrameBuffer in = repeated(random_codes(16, 8, 1), device->describe().input, 1000);
  FrameBuffer out(device->describe().output, 1000);
  device->run(in.frames(), out.frames());
  double sum = 0;
  for (Index i = 0; i < 16; ++i) {
    double mean = 0, square = 0;
    for (Index f = 0; f < 1000; ++f) mean += 4 * signed_value(out.frames().at(f, i), 16) / 1000;
    for (Index f = 0; f < 1000; ++f) square += std::pow(4 * signed_value(out.frames().at(f, i), 16) - mean, 2);
    sum += square * 4 * 50;
  }
  CHECK(std::abs(sum - 15984) / std::sqrt(2 * 15984.0) < 3.29);
}

TEST_CASE("the error of set phases is drawn once per write") {
  const auto device = open("preset=ideal,phase_error=0.05,adc.bits=16");
  const Matrix<Complex> w = gaussian_matrix(16, 16, 4);
  const double scale = programme(*device, w);
  const double first = error(*device, w, scale, false);
  CHECK(first == error(*device, w, scale, false));
  const auto state = device->snapshot();
  programme(*device, w);
  CHECK(first != error(*device, w, scale, false));
  device->restore(state);
  CHECK(first == error(*device, w, scale, false));
}

TEST_CASE("a butterfly's phases make the matrix of its elements, forwards and back, other sizes are refused") {
  const auto device = open(
      "preset=ideal,mesh.layout=butterfly,input.size=8,output.size=4,phase.law=linear,adc.bits=16,adc.range=2,"
      "dac.bits=12,field.kind=complex");
  const Index phases = 8 * 4 + 4 + 4 * 3;  // n (log2 n + 1) on either side
  REQUIRE(device->describe().program->size() == phases);
  const FrameBuffer codes = random_codes(phases, 16, 1);
  device->program(codes.frames());
  const PhaseLaw law = parse_phase_law("linear", 2 * std::numbers::pi, 65535);
  std::vector<double> set;
  for (Index i = 0; i < phases; ++i) set.push_back(law.phase(codes.frames().at(0, i)));
  const MeshPair pair = mesh_pair(MeshLayout::butterfly, 8, 4, set);
  const Matrix<Complex> v = mesh_matrix(pair.in), u = mesh_matrix(pair.out);
  Matrix<Complex> w(4, 8);
  for (Index i = 0; i < 4; ++i)
    for (Index j = 0; j < 8; ++j)
      for (Index k = 0; k < 4; ++k)
        w(i, j) += u(i, k) * std::sin(pair.attenuator[static_cast<std::size_t>(k)] / 2) * v(k, j);
  CHECK(error(*device, w, 1, true) < 1e-4);
  CHECK(error(*device, w, 1, true, Pass::transposed) < 1e-4);
  CHECK_THROWS_AS(open("mesh.layout=butterfly,input.size=12"), ShapeMismatch);
}

TEST_CASE("with monitors the twin is this chip, splitters and heat as they are, and so are its gradients") {
  const std::string chip =
      "preset=ideal,input.size=5,output.size=4,phase.law=linear,adc.bits=16,adc.range=4,dac.bits=14,loss=0.02,"
      "splitter_error=0.1,crosstalk=0.03,correction=none";
  Registry registry;
  registry.add(mzi_mesh::model());
  const auto device = open(chip + ",monitors=true");
  const auto twin_of = [&](const Device& one) { return registry.model("mzi_mesh").twin(one.settings()); };
  const auto twin = twin_of(*device), nominal = twin_of(*open(chip));
  const Index n = device->describe().program->size();
  const FrameBuffer codes = random_codes(n, 16, 1), in = random_codes(5, 14, 20);
  device->program(codes.frames());
  Matrix<float> theta(1, n), x(20, 5), y(20, 4), perfect(20, 4);
  for (Index i = 0; i < n; ++i) theta(0, i) = static_cast<float>(codes.frames().at(0, i));
  for (Index r = 0; r < 20; ++r)
    for (Index j = 0; j < 5; ++j) x(r, j) = static_cast<float>(in.frames().at(r, j));
  twin->program(theta);
  nominal->program(theta);
  twin->forward(x, y);
  nominal->forward(x, perfect);
  FrameBuffer out(device->describe().output, 20);
  device->run(in.frames(), out.frames());
  double off = 0, off_nominal = 0;
  for (Index r = 0; r < 20; ++r)
    for (Index i = 0; i < 4; ++i) {
      const auto code = static_cast<float>(out.frames().at(r, i));
      off = std::max(off, static_cast<double>(std::abs(y(r, i) - code)));
      off_nominal = std::max(off_nominal, static_cast<double>(std::abs(perfect(r, i) - code)));
    }
  CHECK(off < 1);  // of 65536 codes: half a code of the ADC, and floats
  CHECK(off_nominal > 500);

  Matrix<float> g(20, 4), back(20, 5), slopes(1, n);
  Stream(4, 0, Purpose::user).normal(0, 0, g.flat());
  twin->vjp(x, g, back, slopes);
  for (Index i = 0; i < n; i += 7) {
    constexpr float kStep = 64;
    double sums[2] = {};
    for (int side = 0; side < 2; ++side) {
      Matrix<float> moved = theta;
      moved(0, i) += side == 0 ? -kStep : kStep;
      twin->program(moved);
      twin->forward(x, y);
      for (Index k = 0; k < y.size(); ++k)
        sums[side] += static_cast<double>(g.data()[k]) * static_cast<double>(y.data()[k]);
    }
    CHECK(static_cast<double>(slopes(0, i)) == Approx((sums[1] - sums[0]) / (2 * kStep)).epsilon(1e-2).margin(0.02));
  }
  CHECK_THROWS_WITH(open("monitors=true"), Catch::Contains("correction = all"));
}

// Null: readings of three intensities have the variance 3 monitor_noise^2 + (thermal, dark and shot noise of each). One
// attenuator wide open, input and signal on channel 0 alone: at the phase behind it E_f = 1, E_a = 1 (full amplitude),
// both beat by their phases. Two-sided, alpha 1e-3, n 4000, seed 1.
TEST_CASE("what monitors read has their noise, sample by sample, however the batch is cut") {
  const std::string chip =
      "preset=ideal,input.size=2,output.size=2,phase.law=linear,adc.bits=16,dac.bits=14,correction=none,monitors=true";
  Registry registry;
  registry.add(mzi_mesh::model());
  const auto twin_of = [&](const std::string& more) {
    const auto device = open(chip + more);
    auto twin = registry.model("mzi_mesh").twin(device->settings());
    Matrix<float> theta(1, twin->parameters());
    std::ranges::fill(theta.flat(), 32768.0f);  // every phase pi: straight through
    twin->program(theta);
    return twin;
  };
  constexpr Index kSamples = 4000;
  Matrix<float> x(kSamples, 2), g(kSamples, 2);
  for (Index r = 0; r < kSamples; ++r) x(r, 0) = 16384, x(r, 1) = 8192, g(r, 0) = 1;
  const auto one = [&](const Twin& twin, Index r, std::uint64_t id) {
    Matrix<float> slope(1, twin.parameters());
    twin.measure(x.view().rows(r, 1), g.view().rows(r, 1), id, slope);
    return slope;
  };
  const auto quiet = twin_of("");
  Matrix<float> below(kSamples, 2), computed(1, quiet->parameters()), measured(1, quiet->parameters());
  quiet->vjp(x, g, below, computed);
  quiet->measure(x, g, 0, measured);
  for (Index i = 0; i < computed.size(); ++i)
    CHECK(measured.data()[i] == Approx(computed.data()[i]).epsilon(1e-4).margin(1e-4));

  const double gain = 32768 / 2.0, slope = 2 * std::numbers::pi / 65535;  // adc.range 2
  const Index last = quiet->parameters() - 2;                             // output phase of channel 0
  const double full_a = 1e6 * 6.62607015e-34 * 299792458.0 / 1550e-9 / 1e-9;
  const double thermal = 4 * 1.380649e-23 * 300 / 1e3 + 2 * 1.602176634e-19 * 1e-8, shot = 2 * 1.602176634e-19 * full_a;
  // at that shifter |E_f| = |E_a| = 1 and |E_f + i E_a*|^2 = 2 + 2 Re(-i E_f E_a) = 2 - 2 * its gradient
  const double beat = static_cast<double>(one(*quiet, 0, 0)(0, last)) / (gain * slope);
  const double of_light = (3 * thermal + shot * (4 - 2 * beat)) * 0.5e9 / (full_a * full_a);
  for (const auto& [settings, variance] :
       {std::pair<std::string, double>{",monitor_noise=0.1", 3 * 0.01}, {",detector.noise=true", of_light}}) {
    INFO(settings);
    const auto noisy = twin_of(settings);
    double sum = 0, squares = 0;
    Matrix<float> all(1, noisy->parameters());
    for (Index r = 0; r < kSamples; ++r) {
      const Matrix<float> single = one(*noisy, r, 70 + static_cast<std::uint64_t>(r));
      const double error = static_cast<double>(single(0, last)) / (gain * slope) - beat;
      sum += error;
      squares += error * error;
      for (Index i = 0; i < all.size(); ++i) all.data()[i] += single.data()[i];
    }
    const double wanted = variance / 4;
    CHECK(std::abs(sum / kSamples) < 3.29 * std::sqrt(wanted / kSamples));
    CHECK(std::abs(squares / kSamples / wanted - 1) < 3.29 * std::sqrt(2.0 / kSamples) + 1e-3);
    Matrix<float> together(1, noisy->parameters());
    noisy->measure(x, g, 70, together);
    for (Index i = 0; i < all.size(); ++i)
      CHECK(together.data()[i] == Approx(all.data()[i]).epsilon(1e-4).margin(1e-2));
    CHECK(std::ranges::equal(one(*noisy, 0, 5).flat(), one(*noisy, 0, 5).flat()));
    CHECK(!std::ranges::equal(one(*noisy, 0, 5).flat(), one(*noisy, 0, 6).flat()));
  }
}

TEST_CASE("a frame waits for its symbol, light, amplifier and converters, and deeper meshes for more light") {
  const auto latency = [](const std::string& settings) {
    std::map<std::string, double> waits;
    const auto device = open(settings);
    for (const CostPart& part : device->describe().cost.parts) waits[part.name] = part.latency_s;
    return waits;
  };
  auto small = latency("input.size=16,output.size=16"), reck = latency("input.size=16,output.size=16,mesh.layout=reck");
  constexpr double kColumnS = 3e-4 * 4.2 / 299792458.0;
  CHECK(small["path"] == Approx((16 + 1 + 16) * kColumnS));  // both meshes, and attenuators between them
  CHECK(reck["path"] == Approx((29 + 1 + 29) * kColumnS));
  CHECK(small["modulator"] == Approx(1e-9));
  CHECK(latency("detector.bandwidth_hz=2e9")["tia"] == Approx(std::log(9.0) / (4 * 2e9)));
  CHECK(latency("adc.bits=12")["adc"] - small["adc"] == Approx(2 * 100e-12));
  CHECK(small["hold"] == 0);
}

TEST_CASE("a chip with more inputs than outputs, or fewer, bills each way for what it shows and reads") {
  Registry registry;
  registry.add(mzi_mesh::model());
  for (const std::string size : {"input.size=5,output.size=3", "preset=receiver,input.size=5,output.size=3",
                                 "preset=receiver,input.size=3,output.size=5,field.kind=complex"})
    for (const CheckResult& result :
         check_device([&](const Settings& settings) { return registry.open("sim:mzi_mesh," + size, settings); })) {
      INFO(size << ": " << result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
    }
}

TEST_CASE("heaters draw 30 mW per pi of the phases that are set, and are billed for that after every way to set them") {
  const auto device = open("correction=none,phase.law=linear,input.size=6,output.size=4");
  const FrameFormat format = *device->describe().program;
  const auto check_bill = [&](const FrameBuffer* codes) {
    double wanted = 0, all = 0, once = 0;
    const PhaseLaw law = parse_phase_law("linear", 2 * std::numbers::pi, format.highest());
    for (Index i = 0; codes && i < format.size(); ++i)
      wanted += 30e-3 / std::numbers::pi * law.phase(std::as_const(*codes).frames().at(0, i));
    const CostModel& cost = device->describe().cost;
    for (const CostPart& part : cost.parts) {
      all += part.frame_j;
      once += part.program_j;
      if (part.name == "hold") CHECK(part.frame_j == Approx(wanted * cost.frame_s));
    }
    CHECK(all == Approx(cost.joules(1)).epsilon(1e-12));
    CHECK(once == Approx(cost.program_j).epsilon(1e-12));
    CHECK(device->monitors().front().value == Approx(wanted));
  };
  check_bill(nullptr);
  const FrameBuffer drawn = random_codes(format.size(), format.bits, 2);
  FrameBuffer first(format, 1), second(format, 1);
  for (Index i = 0; i < format.size(); ++i) {
    first.frames().set(0, i, drawn.frames().at(0, i));
    second.frames().set(0, i, drawn.frames().at(1, i) / 2);
  }
  device->program(std::as_const(first).frames());
  check_bill(&first);
  const auto state = device->snapshot();
  device->program(std::as_const(second).frames());
  check_bill(&second);
  device->configure({{"photons", 1e5}});
  check_bill(&second);
  device->restore(state);
  check_bill(&first);
}

// Null: sd^2 = S B / (4 R^2 P_local P_signal) and a step^2 / 12 for every quadrature, whatever the signal. Two-sided,
// alpha 1e-3, n 16000.
TEST_CASE(
    "a receiver's load, amplifier and dark current add noise by the power of the local oscillator and the signal") {
  const double photons = 1e5, channel_w = photons * 1.2816e-19 / 1e-9, load = 4 * 1.380649e-23 * 300 / 500,
               dark = 4 * 1.602176634e-19 * 2e-6;
  const auto chi = [&](const std::string& settings, double variance) {
    const auto device = open("preset=ideal,photons=1e5,detector.noise=true,adc.bits=16,adc.range=4," + settings);
    CHECK_FALSE(device->describe().deterministic);
    programme(*device, gaussian_matrix(16, 16, 3));
    const FrameBuffer in = repeated(random_codes(16, 8, 1), device->describe().input, 1000);
    FrameBuffer out(device->describe().output, 1000);
    device->run(in.frames(), out.frames());
    double sum = 0;
    for (Index i = 0; i < 16; ++i) {
      double mean = 0;
      for (Index f = 0; f < 1000; ++f) mean += 4 * signed_value(out.frames().at(f, i), 16) / 1000;
      for (Index f = 0; f < 1000; ++f) sum += std::pow(4 * signed_value(out.frames().at(f, i), 16) - mean, 2);
    }
    return sum / (variance + std::pow(4.0 / 32768, 2) / 12);
  };
  const auto in_band = [&](double density, double responsivity, double local_w) {
    return density * 2e9 / (4 * responsivity * responsivity * local_w * channel_w);
  };
  const auto plausible = [](double sum) { return std::abs(sum - 15984) / std::sqrt(2 * 15984.0) < 3.29; };
  const std::string band = "detector.bandwidth_hz=2e9,detector.responsivity=0.8,local_power_w=1e-6,";
  CHECK(plausible(chi(band + "detector.load_ohm=500,detector.dark_a=0", in_band(load, 0.8, 1e-6))));
  CHECK(plausible(chi(band + "detector.load_ohm=0,detector.dark_a=2e-6", in_band(dark, 0.8, 1e-6))));
  CHECK(plausible(chi(band + "detector.load_ohm=500,detector.dark_a=2e-6,detector.amplifier_a2_hz=1e-22",
                      in_band(load + dark + 1e-22, 0.8, 1e-6))));
  // and with the vacuum's 1 / 4 over the photons
  CHECK(plausible(chi(band + "detector.load_ohm=500,detector.dark_a=0,vacuum_noise=true",
                      in_band(load, 0.8, 1e-6) + 0.25 / photons)));
}

// Null: y (1 + sqrt(rin B) / 2 xi), one xi for all outputs of a frame. Two-sided, alpha 1e-3, n 4000.
TEST_CASE("intensity noise of the laser scales all outputs of a frame alike, by half of what its power does") {
  const auto device = open("preset=ideal,laser.rin_hz=4e-12,detector.bandwidth_hz=1e9,adc.bits=16,adc.range=1");
  programme(*device, gaussian_matrix(16, 16, 3));
  const FrameBuffer in = repeated(random_codes(16, 8, 1), device->describe().input, 4000);
  FrameBuffer out(device->describe().output, 4000);
  device->run(in.frames(), out.frames());
  const auto y = [&](Index f, Index i) { return signed_value(out.frames().at(f, i), 16); };
  std::vector<double> mean(16);
  for (Index i = 0; i < 16; ++i)
    for (Index f = 0; f < 4000; ++f) mean[static_cast<std::size_t>(i)] += y(f, i) / 4000;
  for (std::size_t i = 0; i < 16; ++i) {
    if (std::abs(mean[i]) < 0.1) continue;
    double square = 0, worst = 0;
    for (Index f = 0; f < 4000; ++f) {
      const double light = y(f, static_cast<Index>(i)) / mean[i], other = y(f, 0) / mean[0];
      square += (light - 1) * (light - 1) / 3999;
      worst = std::max(worst, std::abs(light - other));
    }
    CHECK(std::abs(square / (4e-3 / 4) - 1) < 3.29 * std::sqrt(2.0 / 4000));
    CHECK(worst < 2e-3 + 4e-5 / std::abs(mean[0]));
  }
}

}  // namespace lightloop
