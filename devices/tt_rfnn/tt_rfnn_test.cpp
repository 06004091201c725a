#include "devices/tt_rfnn/tt_rfnn.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "core/train_shape.hpp"

namespace lightloop {
namespace {

std::unique_ptr<Device> open(const std::string& settings) {
  Registry registry;
  registry.add(tt_rfnn::model());
  return registry.open("sim:tt_rfnn," + settings);
}

double signed_value(std::uint32_t code, int bits) { return code / std::ldexp(1.0, bits - 1) - 1.0; }

Matrix<double> gaussian(Index rows, Index cols) {
  Matrix<double> m(rows, cols);
  const Stream stream(7, 0, Purpose::user);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = stream.normal(0, static_cast<std::uint64_t>(i));
  return m;
}

/// Programmes a train; returns the product of the cores' scales.
double programme(Device& device, const TensorTrain& train, const std::optional<Stream>& spread = {}) {
  FrameBuffer codes(*device.describe().program, 1);
  const PhaseLaw law =
      parse_phase_law("linear", device.settings().real("phase.range_rad"), device.describe().program->highest());
  double scale = 1;
  Index at = 0;
  for (const Matrix<double>& core : train.cores) {
    Matrix<Complex> complex(core.rows(), core.cols());
    for (Index i = 0; i < core.size(); ++i) complex.data()[i] = core.data()[i];
    double own = 0;
    for (const double phase : mesh_phases(mesh_pair(MeshLayout::clements, complex, own, spread)))
      codes.frames().set(0, at++, law.code(phase));
    scale *= own;
  }
  device.program(std::as_const(codes).frames());
  return scale;
}

/// rms of (amplitude measured - w v / scale) over 20 random frames.
double error(Device& device, const Matrix<double>& w, double scale, bool forward) {
  const int bits_in = device.describe().input.bits, bits_out = device.describe().output.bits;
  const Index n_in = forward ? w.cols() : w.rows(), n_out = w.rows() + w.cols() - n_in;
  FrameBuffer in(FrameFormat{{n_in}, bits_in, ""}, 20), out(FrameFormat{{n_out}, bits_out, ""}, 20);
  const Stream stream(3, 0, Purpose::user);
  for (Index f = 0; f < 20; ++f)
    for (Index j = 0; j < n_in; ++j)
      in.frames().set(
          f, j,
          static_cast<std::uint32_t>(stream.uniform(static_cast<std::uint64_t>(f), static_cast<std::uint64_t>(j)) *
                                     std::ldexp(1.0, bits_in)));
  const ConstFrames shown = std::as_const(in).frames();
  device.run(shown, out.frames(), {.pass = forward ? Pass::forward : Pass::transposed});
  double sum = 0;
  for (Index f = 0; f < 20; ++f)
    for (Index i = 0; i < n_out; ++i) {
      double y = 0;
      for (Index j = 0; j < n_in; ++j) y += (forward ? w(i, j) : w(j, i)) * signed_value(shown.at(f, j), bits_in);
      const double got = device.settings().real("adc.range") * signed_value(out.frames().at(f, i), bits_out);
      sum += std::pow(got - y / scale, 2);
    }
  return std::sqrt(sum / static_cast<double>(20 * n_out));
}

}  // namespace

TEST_CASE("a perfect train of networks is the matrix of the tensor train, in both directions") {
  for (const char* shape : {"tt.cores=1,tt.rank=1", "tt.cores=2,tt.rank=3", "tt.cores=3,tt.rank=4"}) {
    INFO(shape);
    const auto device = open(std::string("preset=ideal,adc.bits=16,dac.bits=12,input.size=12,output.size=18,") + shape);
    const ParamSet& p = device->settings();
    const TrainShape cut(18, 12, p.integer("tt.cores"), p.integer("tt.rank"));
    const TensorTrain train = tensor_train(gaussian(18, 12), cut.rows, cut.cols, p.integer("tt.rank"));
    const double scale = programme(*device, train);
    // 16-bit phases: 2.8e-5 rad rms times sqrt(N) in up to six meshes; the ADC's step is 6e-5
    CHECK(error(*device, train.matrix(), scale, true) < 6e-4);
    CHECK(error(*device, train.matrix(), scale, false) < 6e-4);
  }
}

TEST_CASE("the programme of five cores of 4 x 4 with rank 8 is that of 4084 interferometers and their outputs") {
  const TrainShape shape(1024, 1024, 5, 8);
  Index interferometers = 0;
  for (std::size_t k = 0; k < 5; ++k) {
    const Index d = shape.outputs(k), e = shape.inputs(k);
    interferometers += d * (d - 1) / 2 + e * (e - 1) / 2 + std::min(d, e);
  }
  CHECK(interferometers == 4084);
  CHECK(shape.uses(0) == 256);
  CHECK(shape.uses(4) == 256);
}

TEST_CASE("correction takes most of the splitters' errors out of trains") {
  const TrainShape shape(16, 16, 2, 4);
  const TensorTrain train = tensor_train(gaussian(16, 16), shape.rows, shape.cols, 4);
  double none = 0, corrected = 0;  // squares, over the chips
  for (int seed = 1; seed <= 20; ++seed) {
    const auto left = [&](const std::string& correction, const std::optional<Stream>& spread) {
      const auto device = open("preset=ideal,adc.bits=16,splitter_error=0.02,seed=" + std::to_string(seed) +
                               ",correction=" + correction);
      return std::pow(error(*device, train.matrix(), programme(*device, train, spread), true), 2);
    };
    corrected += left("splitters", Stream(1, 0, Purpose::user));
    none += left("none", {});
  }
  // what stays is of interferometers that would have to be all bar or all cross; singular vectors of equal values are
  // turned at random, as layers do it on request, so that few are
  INFO("squares left: " << corrected << " of " << none);
  CHECK(corrected < none / 8);
}

TEST_CASE("errors of phases are drawn once per write, switches cost amplitude") {
  const Matrix<double> w = gaussian(16, 16);
  const TrainShape shape(16, 16, 2, 4);
  const TensorTrain train = tensor_train(w, shape.rows, shape.cols, 4);
  const auto device = open("preset=ideal,adc.bits=16"), switched = open("preset=ideal,adc.bits=16,switch_loss=0.19");
  const double scale = programme(*device, train), amplitude = error(*device, Matrix<double>(16, 16), scale, true);
  CHECK(error(*switched, train.matrix(), programme(*switched, train), true) == Approx(0.1 * amplitude).epsilon(0.02));
  const auto noisy = open("preset=ideal,adc.bits=16,phase_error=0.05");
  programme(*noisy, train);
  const double first = error(*noisy, train.matrix(), scale, true);
  CHECK(first == error(*noisy, train.matrix(), scale, true));
  const auto state = noisy->snapshot();
  programme(*noisy, train);
  CHECK(first != error(*noisy, train.matrix(), scale, true));
  noisy->restore(state);
  CHECK(first == error(*noisy, train.matrix(), scale, true));
}

TEST_CASE("a frame of a train costs its conversions, switched channels and held phases, and nothing else") {
  const auto device = open("correction=none,input.size=16,output.size=16,tt.cores=2,tt.rank=4");
  FrameBuffer codes(*device->describe().program, 1);
  double held_rad = 0;
  for (Index i = 0; i < codes.frames().size; ++i) {
    codes.frames().set(0, i, static_cast<std::uint32_t>(100 * i % 4096));
    held_rad += 2 * std::numbers::pi * static_cast<double>(100 * i % 4096) / 4095;
  }
  device->program(std::as_const(codes).frames());
  const CostModel& cost = device->describe().cost;
  const TrainShape shape(16, 16, 2, 4);
  double frame = 0, programme = 0, uses = 0, switched = 0;
  for (const CostPart& part : cost.parts) {
    frame += part.frame_j;
    programme += part.program_j;
    if (part.name == "switches") switched = part.frame_events;
    // 16 channels of 1 mW, a fifth of the wall's power; local oscillators cost with detector.noise
    if (part.name == "source") CHECK(part.frame_j == Approx(16 * 1e-3 * cost.frame_s / 0.2));
    if (part.name == "hold")
      CHECK(part.frame_j == Approx(1e-4 / std::numbers::pi * held_rad * cost.frame_s));  // 0.1 mW per pi
  }
  for (std::size_t k = 0; k < 2; ++k) uses += double(shape.uses(k));
  const auto tia = [](const std::string& settings) {
    const CostModel of = open(settings)->describe().cost;
    const auto part = std::ranges::find(of.parts, "tia", &CostPart::name);
    REQUIRE(part != of.parts.end());
    return part->frame_j / of.frame_s;
  };
  CHECK(tia("preset=ideal") == 0);
  CHECK(tia("preset=receiver") == Approx(16 * 3e-3));  // 3 mW an output
  CHECK(frame == Approx(cost.joules(1)).epsilon(1e-12));
  CHECK(programme == Approx(cost.program_j).epsilon(1e-12));
  CHECK(cost.frame_s == Approx(10e-9 * uses));
  CHECK(switched == double(shape.uses(0) * shape.inputs(0) + shape.uses(1) * shape.inputs(1)));
}

// Null: sd^2 = 4 k T B / R_L / (4 R^2 P_local P_signal). Two-sided, alpha 1e-3, n 16000.
TEST_CASE("the receivers of a train have the noise of their load") {
  const auto device = open(
      "preset=ideal,detector.noise=true,detector.dark_a=0,detector.load_ohm=100,detector.bandwidth_hz=1e9,"
      "local_power_w=1e-5,power_w=1e-6,adc.bits=16,adc.range=1");
  FrameBuffer in(device->describe().input, 1000), out(device->describe().output, 1000);
  for (Index f = 0; f < 1000; ++f)
    for (Index j = 0; j < 16; ++j) in.frames().set(f, j, 128);
  device->run(in.frames(), out.frames());
  double sum = 0;
  for (Index f = 0; f < 1000; ++f)
    for (Index i = 0; i < 16; ++i) sum += std::pow(signed_value(out.frames().at(f, i), 16), 2);
  const double expected = 4 * 1.380649e-23 * 300 / 100 * 1e9 / (4 * 1e-11) + std::pow(1.0 / 32768, 2) / 12;
  CHECK(std::abs(sum / expected - 16000) / std::sqrt(2 * 16000.0) < 3.29);
}

}  // namespace lightloop
