// Programmes of devices that learn by losses alone (layer.update = programme with rules spsa and pepg).
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/evaluate.hpp"
#include "training/loss.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

/// Physics that nobody knows: y_o = sin(sum_i v_i sin(p_oi) + cos(q_o)) of inputs v in [-1, 1), with more codes than a
/// matrix has (phases p and q, a turn from end to end).
class Odd : public Device {
 public:
  static constexpr Index kIn = 8, kOut = 6;
  Odd() {
    info_.kind = "layer";
    info_.model = "odd";
    info_.serial = info_.version = "1";
    info_.input = {{kIn}, 10, ""};
    info_.output = {{kOut}, 12, ""};
    info_.program = FrameFormat{{kOut * (kIn + 1)}, 12, ""};
    info_.deterministic = true;
    info_.cost = {.frame_s = 1e-6, .program_s = 1e-3, .power_w = 1, .program_j = 1e-4};
    codes_.resize(kOut * (kIn + 1));
  }
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override { params_ = changed(changes); }
  void program(ConstFrames codes) override {
    check_program(codes);
    for (Index i = 0; i < codes.size; ++i) codes_[std::size_t(i)] = codes.at(0, i);
  }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_frames(in, out, options);
    const auto phase = [&](Index i) { return 2 * M_PI * codes_[std::size_t(i)] / 4095.0; };
    for (Index r = 0; r < in.count; ++r)
      for (Index o = 0; o < kOut; ++o) {
        double sum = std::cos(phase(o * (kIn + 1) + kIn));
        for (Index i = 0; i < kIn; ++i) sum += (in.at(r, i) / 512.0 - 1) * std::sin(phase(o * (kIn + 1) + i));
        out.set(r, o, std::uint32_t(std::clamp(std::rint(2048 + 2047 * std::sin(sum)), 0.0, 4095.0)));
      }
    return {.frames = in.count,
            .codes = in.count * kOut,
            .device_s = 1e-6 * double(in.count),
            .device_j = 1e-6 * double(in.count)};
  }
  std::vector<std::byte> snapshot() const override {
    const auto bytes = std::as_bytes(std::span(codes_));
    return {bytes.begin(), bytes.end()};
  }
  void restore(const std::vector<std::byte>& state) override { std::memcpy(codes_.data(), state.data(), state.size()); }
  void close() override {}

 private:
  DeviceInfo info_;
  ParamSet params_{"odd", {}};
  std::vector<std::uint32_t> codes_;
};

/// Simulated devices, "bench:MODEL", the same behind a backend that knows no twins, and "odd:odd".
Registry registry() {
  Registry all;
  add_devices(all);
  const auto inside = [](DeviceAddress address) {
    address.backend = "sim";
    return address;
  };
  Backend bench = [inside](const DeviceAddress& a, const Registry& r) { return r.open(inside(a)); };
  bench.params = [inside](const DeviceAddress& a, const Registry& r) { return r.open_params(to_string(inside(a))); };
  bench.many = true;
  all.add_backend("bench", std::move(bench));
  Backend odd = [](const DeviceAddress&, const Registry&) { return std::make_unique<Odd>(); };
  odd.many = true;
  all.add_backend("odd", std::move(odd));
  return all;
}

constexpr const char* kMesh = "mzi_mesh,correction=none,splitter_error=0.15,phase.law=linear,phase.bits=14,crosstalk=0";
/// Neither errors nor noise, converters as fine as they come.
constexpr const char* kExact =
    "sim:mzi_mesh,correction=none,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,"
    "dac.bits=14,"
    "adc.bits=16,phase.bits=16,phase.law=linear,input.size=4,output.size=4";

TrainSettings task(const std::string& layers, const std::string& rule) {
  return {{"train.net", "8-8-6"},
          {"train.rule", rule},
          {"train.epochs", std::int64_t{2}},
          {"train.lr", 1e-2},
          {"train.batch", std::int64_t{100}},
          {"train.layers", layers},
          {"layer.update", std::string("programme")},
          {"layer.weight_limit", 6.0},
          {"layer.bound_management", std::string("none")}};
}

struct Told {
  TrainPlan plan;
  TrainResult result;
};
Told run(const TrainSettings& s, const TrainTest& data = {clusters(400, 1, 8, 6), clusters(500, 2, 8, 6)}) {
  Told told;
  TrainObserver observer;
  observer.on_plan = [&](const TrainPlan& plan) {
    told.plan = plan;
    return true;
  };
  told.result = train(s, data, registry(), observer);
  return told;
}

/// One layer on an exact mesh, a batch for it, and the gradient of its mean loss by what a rule moves: codes in units
/// of their range, then biases.
struct Exact {
  Registry all = registry();
  Network net{{4, 4}, Activation::identity};
  Matrix<float> x{12, 4}, error{12, 4};
  std::vector<std::uint8_t> labels;
  std::unique_ptr<AnalogNetwork> layers;
  std::vector<double> gradient;

  Exact() {
    net.initialise(3);
    for (float& b : net.bias(0)) b = 0.1f;
    for (Index j = 0; j < 4; ++j) net.weights(0)(j, j) += 1.5f;  // attenuators away from their ends
    Stream(5, 0, Purpose::user).normal(0, 0, x.flat());
    for (Index r = 0; r < 12; ++r) labels.push_back(std::uint8_t(r % 4));
    constexpr double kLimit = 3;
    layers = std::make_unique<AnalogNetwork>(all,
                                             AnalogPlace{.device = kExact,
                                                         .layer = {{"update", std::string("programme")},
                                                                   {"weight_limit", kLimit},
                                                                   {"calibrate", false},
                                                                   {"bound_management", std::string("none")}},
                                                         .trials = true},
                                             net);
    layers->program(net);
    Activations out;
    layers->forward(net, x, out);
    output_error(Loss::cross_entropy, out.h.back(), labels, error);
    // The twin at the same programme and drive: y = limit alpha range / (middle of the ADC) (code - middle).
    const Session& session = *layers->devices().opened().front()->session;
    const auto twin = all.twin(kExact);
    const double mid_in = session.info().input.highest() / 2 + 1, mid_out = session.info().output.highest() / 2 + 1,
                 range = session.settings().real("adc.range");
    Matrix<float> theta(1, twin->parameters()), drive(12, 4), slopes(12, 4), back(12, 4), by_code(1, theta.cols());
    Matrix<Complex> w(4, 4);
    for (Index i = 0; i < w.size(); ++i) w.data()[i] = double(net.weights(0).data()[i]);
    double limit = kLimit;
    const std::vector<double> phases = mesh_phases(mesh_pair(MeshLayout::clements, w, limit));
    const PhaseLaw law = parse_phase_law("linear", session.settings().real("phase.range_rad"), 65535);
    for (std::size_t i = 0; i < phases.size(); ++i) theta.data()[i] = float(law.code(phases[i]));
    twin->program(theta);
    for (Index r = 0; r < 12; ++r) {
      double alpha = 0;
      for (const float v : x.row(r)) alpha = std::max(alpha, std::fabs(double(v)));
      for (Index j = 0; j < 4; ++j) {
        drive(r, j) = float(mid_in + double(x(r, j)) / alpha * (mid_in - 1));
        slopes(r, j) = float(double(error(r, j)) * kLimit * alpha * mid_in / (mid_in - 1) * range / mid_out / 12);
      }
    }
    twin->vjp(drive, slopes, back, by_code);
    const double highest = session.info().program->highest();
    for (const float g : by_code.flat()) gradient.push_back(highest * double(g));
    for (Index j = 0; j < 4; ++j) {
      double sum = 0;
      for (Index r = 0; r < 12; ++r) sum += double(error(r, j)) / 12;
      gradient.push_back(sum);
    }
  }
  double loss(std::span<const float> direction, float step) {
    const Network& moved = layers->move(net, direction, step);
    Activations out;
    layers->forward(moved, x, out);
    Matrix<float> e(12, 4);
    return output_error(Loss::cross_entropy, out.h.back(), labels, e) / 12;
  }
  double along(std::span<const float> direction) const {
    double sum = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) sum += gradient[i] * double(direction[i]);
    return sum;
  }
};

}  // namespace

TEST_CASE("the difference of two programmes' losses is the twin's slope up to the square of the step") {
  Exact exact;
  const Stream stream(9, 0, Purpose::user);
  double rest[2] = {0, 0}, size = 0;
  for (std::uint64_t k = 0; k < 20; ++k) {
    std::vector<float> direction(exact.gradient.size());
    stream.uniform(k, 0, direction);
    for (float& d : direction) d = d < 0.5f ? -1.0f : 1.0f;
    const double slope = exact.along(direction);
    size += slope * slope;
    for (const int i : {0, 1}) {
      const float c =
          float((i + 1) * 1024) / 65535;  // whole codes; rounding of the ADC is a third of the rest at half of that
      const double found = (exact.loss(direction, c) - exact.loss(direction, -c)) / (2 * double(c));
      rest[i] += (found - slope) * (found - slope);
    }
  }
  INFO(std::sqrt(rest[0] / size) << " " << std::sqrt(rest[1] / size));
  CHECK(std::sqrt(rest[0] / size) < 0.15);
  CHECK(std::sqrt(rest[1] / rest[0]) == Approx(4).margin(0.8));
  CHECK(exact.layers->report().clipped_updates == 0);
}

TEST_CASE("what matrix a programme has made is told by answers to orthogonal vectors") {
  Exact exact;
  Network measured = exact.net;
  std::ranges::fill(measured.weights(0).row(0), 0.0f);
  exact.layers->measure_weights(measured);
  for (Index i = 0; i < 16; ++i)  // a step of the ADC is 2e-4, one of a phase 1e-4
    CHECK(measured.weights(0).data()[i] == Approx(exact.net.weights(0).data()[i]).margin(1e-3));
  CHECK(exact.layers->report().frames == 12 + 8);
}

TEST_CASE("SPSA of a programme is the twin's gradient on average, with the variance of its law") {
  // Null: mean and variance are those of <u, g> u with u = +-1; two-sided, alpha 1e-4 (|z| < 3.9), n = 3000 steps, seed
  // 1. Bias of order c^2: below a thousandth here.
  Exact exact;
  const RuleModel& model = rule("spsa");
  ParamSet params("rule spsa", model.info.params);
  params.set({{"c", 64.0 / 65535}, {"gamma", 0.0}});
  const auto spsa =
      model.make({.net = exact.net, .seed = 1, .params = params, .moved = exact.layers->moved_parameters()});
  const MovedPass moved = [&](std::span<const float> direction, float step, View<const float> x, Activations& out) {
    exact.layers->forward(exact.layers->move(exact.net, direction, step), x, out);
  };
  Activations given;
  given.h.push_back(exact.x);
  std::vector<float> g(exact.gradient.size());
  double norm = 0, fourth = 0;
  for (const double e : exact.gradient) {
    norm += e * e;
    fourth += e * e * e * e;
  }
  double sum = 0, squares = 0;
  constexpr int kSteps = 3000;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    RuleBatch batch{.activations = given, .error = exact.error, .labels = exact.labels, .step = step};
    batch.moved = &moved;
    spsa->gradient(exact.net, batch, g);
    const double a = exact.along(g) / norm;
    sum += a;
    squares += a * a;
  }
  const double mean = sum / kSteps, variance = squares / kSteps - mean * mean, law = 2 * (1 - fourth / norm / norm);
  INFO(mean << ", variance " << variance << " of " << law);
  CHECK(std::fabs(mean - 1) < 3.9 * std::sqrt(law / kSteps));
  // about a chi-squared number of one degree: its fourth central moment is 60, so that of n of them s^2 has variance
  // (60 - 2^2) / n
  CHECK(std::fabs(variance - law) < 3.9 * std::sqrt(14 / double(kSteps)) * law);
  CHECK(spsa->touched() == StepTouch{.passes = 2 * 12, .projections = 0, .writes = 2});
}

TEST_CASE("a mesh that was fabricated badly learns digits from losses alone, without a twin, and resumes to the bit",
          "[law]") {
  const TrainTest data = make_digits(1, 1000, 1000);
  const std::string chip = "bench:mzi_mesh,correction=none,splitter_error=0.03,phase.law=linear";
  const TemporaryFolder folder;
  TrainSettings s{{"train.net", "28x28x1 | avg_pool 4, flatten, dense 10"},
                  {"train.rule", "bp"},
                  {"train.epochs", std::int64_t{60}},
                  {"train.lr", 3e-2},
                  {"train.out", folder / "plain.h5"}};
  const Registry all = registry();
  const Network plain = train(s, data, all).net;
  AnalogNetwork put(all, {.device = chip, .settings = {{"seed", std::int64_t{1}}}}, plain);
  put.program(plain);
  const double deployed = put.evaluate(plain, data.test).accuracy;
  s["train.init_from"] = folder / "plain.h5";
  s["train.out"] = folder / "whole.h5";
  s["train.rule"] = "spsa";
  s["train.lr"] = 3e-3;
  s["train.layers"] = chip;
  s["layer.update"] = "programme";
  s["layer.weight_limit"] = 100.0;
  const TrainResult whole = train(s, data, all);
  INFO("in memory " << evaluate(plain, data.test).accuracy << ", loaded " << deployed << ", learnt "
                    << whole.test_accuracy);
  CHECK(whole.test_accuracy > deployed + 0.1);
  // the weights of the file are those measured: in memory they answer as the chip does, but for its noise
  CHECK(evaluate(whole.net, data.test).accuracy > whole.test_accuracy - 0.03);

  TrainObserver observer;
  observer.stop = [steps = 0]() mutable { return ++steps == 101; };
  s["train.out"] = folder / "part.h5";
  train(s, data, all, observer);
  const TrainResult resumed = train({{"train.resume", folder / "part.h5"}}, data, all);
  CHECK(resumed.weights_sha256 == whole.weights_sha256);
  CHECK(resumed.test_accuracy == whole.test_accuracy);
}

TEST_CASE("trials of a programme take the frames, writes, time and energy that the rule declares") {
  for (const auto& [name, trials] : {std::pair{"spsa", 2 * 3}, {"pepg", 2 * 4}})
    for (const char* device : {"sim:mzi_mesh,phase.law=linear", "bench:mzi_mesh,input.size=4,output.size=4",
                               "sim:tt_rfnn,tt.cores=2", "odd:odd"}) {
      INFO(name << " on " << device);
      TrainSettings s = task(device, name);
      s["rule.directions"] = std::int64_t{3};
      s["rule.pairs"] = std::int64_t{4};
      s.erase(name == std::string("spsa") ? "rule.pairs" : "rule.directions");
      if (device == std::string("sim:tt_rfnn,tt.cores=2")) s.erase("layer.weight_limit");
      const auto [plan, result] = run(s);
      const bool trains = device == std::string("sim:tt_rfnn,tt.cores=2");
      const std::int64_t tiles = device[0] == 'b' ? 2 * 2 + 2 * 2 : device[0] == 'o' ? 2 + 1 : 2, steps = 2 * 4;
      CHECK(plan.touch_per_step == StepTouch{.passes = trials * 2 * 100, .projections = 0, .writes = (trials + 1) * 2});
      CHECK(plan.device_writes == tiles * (1 + steps * (trials + 1)));
      const auto seconds = Approx(plan.device_seconds).epsilon(1e-9);
      if (trains) {  // whose range is measured: in as many moves as it takes
        CHECK(result.device_frames <= plan.device_frames);
        CHECK(result.device_frames > plan.device_frames * 9 / 10);
      } else {
        CHECK(result.device_frames == plan.device_frames);
        CHECK(result.device_seconds == seconds);  // writes among them
      }
      if (device == std::string("odd:odd")) CHECK(result.device_joules == Approx(plan.device_joules).epsilon(1e-9));
    }
}

TEST_CASE("physics that nobody knows learns by its own programme, whatever the threads, and goes on to the same bits") {
  const TrainTest data{clusters(800, 1, 8, 6), clusters(500, 2, 8, 6)};
  const TemporaryFolder folder;
  for (const auto& [device, rule] :
       {std::pair{"odd:odd", "spsa"},
        {"odd:odd", "pepg"},
        {"bench:mzi_mesh,mesh.layout=butterfly,input.size=8,output.size=8,phase.law=linear", "spsa"}}) {
    INFO(rule << " on " << device);
    TrainSettings s = task(device, rule);
    s["train.net"] = "8-6";
    s["train.batch"] = std::int64_t{200};
    s["train.epochs"] = std::int64_t{30};
    s["layer.weight_limit"] = 10.0;
    if (rule == std::string("spsa")) s["rule.directions"] = std::int64_t{4};
    const int before = threads();
    set_threads(1);
    s["train.out"] = folder / "whole.h5";
    s["train.force"] = true;
    const Told whole = run(s, data);
    set_threads(3);
    INFO(whole.result.test_accuracy);
    CHECK(whole.result.epochs.back().train_loss < 0.6 * whole.result.epochs.front().train_loss);
    TrainObserver observer;
    observer.stop = [steps = 0]() mutable { return ++steps == 7; };
    s["train.out"] = folder / "part.h5";
    train(s, data, registry(), observer);
    const TrainResult resumed = train({{"train.resume", folder / "part.h5"}}, data, registry());
    set_threads(before);
    CHECK(resumed.weights_sha256 == whole.result.weights_sha256);
    CHECK(resumed.test_accuracy == whole.result.test_accuracy);
    CHECK(resumed.device_seconds == Approx(whole.result.device_seconds).epsilon(1e-12));
  }
}

TEST_CASE("a convolution's programmes learn by trials, its biases and norms beside them") {
  TrainSettings s = task("bench:mzi_mesh,phase.law=linear,input.size=8,output.size=8", "spsa");
  s["train.net"] = "2x4x1 | conv 3 3, batch_norm, tanh | flatten, dense 6";
  s["train.epochs"] = std::int64_t{10};
  s["train.lr"] = 1e-2;
  const Told told = run(s);
  CHECK(told.result.epochs.back().train_loss < told.result.epochs.front().train_loss);
  CHECK(told.result.device_frames == told.plan.device_frames);
}

TEST_CASE("what trials of programmes cannot be is refused before the first frame") {
  using Catch::Contains;
  const auto refusal = [](const TrainSettings& more, const std::string& rule = "spsa") -> std::string {
    TrainSettings s = task("bench:mzi_mesh", rule);
    for (const auto& [key, value] : more) s[key] = value;
    try {
      run(s);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK(refusal({}) == "accepted");
  CHECK_THAT(refusal({{"train.alignment_every", std::int64_t{1}}}), Contains("alignment_every"));
  CHECK_THAT(refusal({{"train.layer_metrics", std::int64_t{100}}}), Contains("layer_metrics"));
  CHECK_THAT(refusal({{"layer.bound_management", std::string("worst_case")}}), Contains("worst_case"));
  CHECK_THAT(refusal({{"layer.noise_management", std::string("learned")}}), Contains("learned"));
  CHECK_THAT(refusal({{"train.weight_decay", 1e-3}}), Contains("weight_decay"));
  CHECK_THAT(refusal({{"layer.weight_limit", 0.0}}), Contains("weight_limit"));
  CHECK_THAT(refusal({{"train.layers", std::string("sim:mzi_mesh")}}, "node_perturbation"), Contains("programme"));
  CHECK_THAT(refusal({}, "bp"), Contains("layer.twin"));  // gradients want one
}
