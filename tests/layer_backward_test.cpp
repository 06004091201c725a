// The way back through layers on simulated devices, and weights that live in pulsed cells.
#include <catch2/catch.hpp>
#include <cstring>
#include <limits>
#include <tuple>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "driver/layer/tiles.hpp"

using namespace lightloop;

namespace {

const Registry& registry() {
  static const Registry all = [] {
    Registry r;
    add_devices(r);
    return r;
  }();
  return all;
}

Matrix<float> normal(Index rows, Index cols, std::uint64_t seed, float scale = 1) {
  Matrix<float> m(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r) stream.normal(static_cast<std::uint64_t>(r), 0, m.row(r));
  for (float& v : m.flat()) v *= scale;
  return m;
}

double distance(const Matrix<float>& a, const Matrix<float>& b) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < a.flat().size(); ++i) {
    off += std::pow(double(a.flat()[i]) - double(b.flat()[i]), 2);
    size += std::pow(double(b.flat()[i]), 2);
  }
  return std::sqrt(off / size);
}

struct Opened {
  TileDevices devices;
  TiledLayer layer;
  Opened(const std::string& device, const Matrix<float>& w, const Settings& settings)
      : devices(registry(), device, {}, settings, {{w.cols(), w.rows()}}),
        layer(devices, w.cols(), w.rows(), settings) {
    layer.program(w);
    layer.calibrate();
  }
  Matrix<float> backward(const Matrix<float>& x, const Matrix<float>& g) {
    Matrix<float> out(x.rows(), x.cols());
    layer.backward(x, g, out);
    return out;
  }
};

Settings way(const char* name) { return {{"backward", std::string(name)}}; }

/// (dy/dx)^T g by differences of the device's own answers; steps far above the converters' rounding.
Matrix<float> measured(TiledLayer& layer, const Matrix<float>& x, const Matrix<float>& g) {
  Matrix<float> slopes(x.rows(), x.cols()), up(x.rows(), layer.outputs()), down(up);
  const float h = 0.25f;
  for (Index j = 0; j < x.cols(); ++j) {
    Matrix<float> moved = x;
    for (Index r = 0; r < x.rows(); ++r) moved(r, j) = x(r, j) + h;
    layer.forward(moved, up);
    for (Index r = 0; r < x.rows(); ++r) moved(r, j) = x(r, j) - h;
    layer.forward(moved, down);
    for (Index r = 0; r < x.rows(); ++r) {
      double sum = 0;
      for (Index i = 0; i < layer.outputs(); ++i) sum += double(g(r, i)) * (double(up(r, i)) - double(down(r, i)));
      slopes(r, j) = float(sum / (2 * double(h)));
    }
  }
  return slopes;
}

}  // namespace

TEST_CASE("gradients through twin, device and memory are those of the product on every ideal technology") {
  const Matrix<float> w = normal(10, 14, 1, 0.3f), x = normal(6, 14, 2), g = normal(6, 10, 3);
  Matrix<float> expected(6, 14);
  gemm(Transpose::no, Transpose::no, 1.0f, g, w, 0.0f, expected);
  for (const std::string device :
       {"sim:crossbar,preset=ideal,adc.bits=14,dac.bits=12,weight.bits=12",
        "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,adc.bits=14,"
        "dac.bits=12,phase.bits=16",
        "sim:tt_rfnn,preset=ideal,adc.bits=14,dac.bits=12,tt.cores=2,tt.rank=16"})
    for (const char* name : {"weights", "twin", "device"}) {
      Opened one(device, w, way(name));
      INFO(device << ", " << name);
      CHECK(distance(one.backward(x, g), expected) < 6e-3);
    }
  for (const char* cells : {"differential", "offset"}) {
    Settings settings = way("twin");
    settings["cells"] = std::string(cells);
    Opened pairs("sim:crossbar,preset=ideal,adc.bits=14,weight.bits=12", w, settings);
    INFO(cells);
    CHECK(distance(pairs.backward(x, g), expected) < 6e-3);
  }
  Opened tiles("sim:crossbar,preset=ideal,adc.bits=14,weight.bits=12,input.size=5,output.size=4", w, way("twin"));
  CHECK(tiles.layer.tiles() == 9);
  CHECK(distance(tiles.backward(x, g), expected) < 6e-3);
}

TEST_CASE("where the device is not the matrix that was asked for, its twin knows the slopes and the weights do not") {
  // A triangle of lossy interferometers: paths of different lengths, so what arrives is not W times a number.
  const std::string device =
      "sim:mzi_mesh,mesh.layout=reck,splitter_error=0,phase_error=0,crosstalk=0,loss=0.2,vacuum_noise=false,"
      "output_noise=0,adc.bits=16,adc.range=1,dac.bits=14,phase.bits=16,correction=none";
  const Matrix<float> w = normal(8, 8, 4), x = normal(4, 8, 5), g = normal(4, 8, 6);
  Settings fixed = way("twin");
  fixed["noise_management"] = std::string("fixed");
  fixed["input_range"] = 4.0;
  Opened twin(device, w, fixed);
  const Matrix<float> slopes = measured(twin.layer, x, g);
  fixed["backward"] = std::string("weights");
  Opened memory(device, w, fixed);
  fixed["backward"] = std::string("device");
  Opened light(device, w, fixed);
  CHECK(distance(twin.backward(x, g), slopes) < 0.01);
  CHECK(distance(light.backward(x, g), slopes) < 0.01);
  CHECK(distance(memory.backward(x, g), slopes) > 0.2);
}

TEST_CASE("gradients behind a running range are those at the ranges that the rows had, whatever was shown since") {
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(20, 9, 2), g = normal(20, 7, 3);
  for (const char* name : {"weights", "twin"}) {
    Settings settings = way(name);
    settings["noise_management"] = std::string("running");
    settings["memory"] = 0.7;
    Opened one("sim:crossbar,preset=ideal,adc.bits=16,dac.bits=14,weight.bits=16,input.size=5", w, settings);
    CHECK(one.layer.tiles() == 2);
    const std::vector<double> began = one.layer.input_ranges();
    Matrix<float> y(20, 7), seen(20, 9), below(20, 9);
    one.layer.forward(x, y);
    Matrix<float> small = x;
    for (float& v : small.flat()) v *= 0.01f;
    const std::vector<double> after = one.layer.input_ranges();
    one.layer.forward(small, y);
    one.layer.set_input_ranges(began);
    one.layer.clip(x, seen);
    gemm(Transpose::no, Transpose::no, 1.0f, g, w, 0.0f, below);
    const Matrix<float> back = one.backward(x, g);
    int cut = 0;
    for (const auto& [first, last, tile] : {std::tuple{0, 5, 0}, {5, 9, 1}}) {
      double range = 1;
      for (Index r = 0; r < 20; ++r) {
        double most = 0;
        for (Index j = first; j < last; ++j) most = std::max(most, double(std::abs(x(r, j))));
        range = 0.7 * range + 0.3 * most;
        for (Index j = first; j < last; ++j) {
          CHECK(seen(r, j) == Approx(std::clamp(double(x(r, j)), -range, range)));
          const bool inside = std::abs(double(x(r, j))) <= range;
          CHECK(back(r, j) == Approx(inside ? double(below(r, j)) : 0.0).margin(0.02));
          cut += !inside;
        }
      }
      CHECK(after[static_cast<std::size_t>(tile)] == Approx(range));
    }
    CHECK(cut > 10);
    CHECK_THROWS_WITH(one.layer.set_input_ranges(std::vector<double>{1}), Catch::Contains("one for each tile"));
  }
}

TEST_CASE("the gradient of a learned range is that of clipping and rounding, by differences") {
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(50, 9, 2), g = normal(50, 7, 3);
  Opened one("sim:crossbar,preset=ideal,adc.bits=16,dac.bits=4,weight.bits=16", w,
             {{"noise_management", std::string("learned")}, {"input_range", 1.2}});
  CHECK(one.layer.input_range() == 1.2);
  Matrix<float> below(50, 9);
  gemm(Transpose::no, Transpose::no, 1.0f, g, w, 0.0f, below);
  double expected = 0;
  for (std::size_t i = 0; i < below.flat().size(); ++i) {
    const double v = double(x.flat()[i]), c = std::clamp(v / 1.2, -1.0, 1.0), rounding = std::rint(c * 7) / 7 - c;
    const auto y = [&](double r) { return r * (std::clamp(v / r, -1.0, 1.0) + rounding); };
    expected += double(below.flat()[i]) * (y(1.2 + 1e-6) - y(1.2 - 1e-6)) / 2e-6;
  }
  CHECK(one.layer.range_gradient(x, g) == Approx(expected).epsilon(2e-3));
  const Matrix<float> back = one.backward(x, g);
  for (std::size_t i = 0; i < back.flat().size(); ++i)
    CHECK((std::abs(x.flat()[i]) > 1.2f) == (back.flat()[i] == 0.0f));
  one.layer.set_input_range(2);
  CHECK(one.layer.input_range() == 2);
  CHECK_THROWS_AS(one.layer.set_input_range(0), OutOfRange);
  Opened plain("sim:crossbar", w, {});
  CHECK_THROWS_AS(plain.layer.set_input_range(1), Unsupported);
  CHECK_THROWS_AS(plain.layer.range_gradient(x, g), Unsupported);
}

TEST_CASE("the gradient of a learned range is that of the levels of the DAC where it has fewer than codes") {
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(50, 9, 2), g = normal(50, 7, 3);
  const std::string ideal = "sim:crossbar,preset=ideal,adc.bits=16,weight.bits=16,dac.bits=";
  const Settings learned{{"noise_management", std::string("learned")}, {"input_range", 1.2}};
  Matrix<float> below(50, 9);
  gemm(Transpose::no, Transpose::no, 1.0f, g, w, 0.0f, below);
  for (const double levels : {4.0, 5.0, 15.0}) {
    Opened one(ideal + "16,dac.levels=" + std::to_string(int(levels)), w, learned);
    const double h = (levels - 1) / 2, between = levels == 4 ? 0.5 : 0;
    double expected = 0;
    for (std::size_t i = 0; i < below.flat().size(); ++i) {
      const double v = double(x.flat()[i]) / 1.2;
      const double level = std::clamp(std::rint(h * v - between) + between, -h, h) / h;
      expected += double(below.flat()[i]) * (std::abs(v) > 1 ? level : level - v);
    }
    INFO(levels);
    CHECK(one.layer.range_gradient(x, g) == Approx(expected).epsilon(2e-3));
  }
  // 15 levels are those of the controller on 4 bits
  Opened levels(ideal + "16,dac.levels=15", w, learned), bits(ideal + "4", w, learned);
  CHECK(levels.layer.range_gradient(x, g) == Approx(bits.layer.range_gradient(x, g)).epsilon(2e-3));
}

TEST_CASE("a row is shown again at no drive that the DAC's levels take for none") {
  // 9 levels: drives are quarters. Sums of 8 times 1 meet the end of an ADC of 3; at a quarter of the drive they are
  // 2 and fit, at an eighth the DAC would show nothing. Of 5 levels, halves, a half is the last.
  Matrix<float> w(1, 8), x(1, 8), y(1, 1);
  std::ranges::fill(w.flat(), 1.0f);
  std::ranges::fill(x.flat(), 1.0f);
  for (const auto& [levels, range, frames, saturated] :
       {std::tuple{9, "3", 3, 0}, std::tuple{9, "1", 3, 1}, std::tuple{5, "3", 2, 1}}) {
    Session session(
        registry().open("sim:crossbar,preset=ideal,dac.bits=10,weight.bits=16,adc.bits=12,input.size=8,"
                        "output.size=1,adc.range=" +
                        std::string(range) + ",dac.levels=" + std::to_string(levels)));
    for (const char* management : {"iterative", "worst_case"}) {
      Layer layer(session, 8, 1, {{"bound_management", std::string(management)}});
      layer.program(w);
      layer.forward(x, y);
      INFO(levels << " levels, range " << range << ", " << management);
      CHECK(y(0, 0) > 0.3f * std::stof(range));
      CHECK(layer.report().saturated == saturated);
      if (std::string(management) == "worst_case") continue;
      CHECK(layer.report().frames == frames);
      if (saturated == 0) CHECK(y(0, 0) == Approx(8).epsilon(0.01));
    }
  }
}

TEST_CASE("the way back through a twin follows pulses") {
  const Settings settings{{"weight_limit", 1.0}, {"backward", std::string("twin")}};
  const Matrix<float> x = normal(16, 30, 1), g = normal(16, 20, 2);
  Opened one(
      "sim:crossbar,cell.kind=constant_step,pulse.step=0.002,pulse.step_spread=0,pulse.asymmetry_spread=0,"
      "pulse.bound_spread=0,pulse.cycle_noise=0,read_noise=0,output_noise=0,adc.bits=16,dac.bits=12",
      normal(20, 30, 3, 0.1f), settings);
  const auto way_back = [&] {
    Matrix<float> below(16, 30);
    one.layer.backward(x, g, below);
    return below;
  };
  const auto by_weights = [&] {
    Matrix<float> below(16, 30);
    gemm(Transpose::no, Transpose::no, 1.0f, g, one.layer.programmed(), 0.0f, below);
    return below;
  };
  const Matrix<float> before = by_weights();
  one.layer.update(normal(20, 30, 4, 0.1f));
  CHECK(distance(way_back(), by_weights()) < 0.01);  // rounding to 12 and 16 bits
  CHECK(distance(way_back(), before) > 0.5);
}

TEST_CASE("updates move pulsed cells from where they are, by whole pulses that are right on average") {
  const Settings limit{{"weight_limit", 1.0}};
  const Matrix<float> w(20, 30);
  Matrix<float> dw(20, 30);
  for (float& v : dw.flat()) v = 0.0123f;
  const std::string cells =
      "sim:crossbar,cell.kind=constant_step,pulse.step=0.002,pulse.step_spread=0,pulse.asymmetry_spread=0,"
      "pulse.bound_spread=0,pulse.cycle_noise=0,read_noise=0,output_noise=0,adc.bits=16,adc.range=2,dac.bits=12";
  TileDevices devices(registry(), cells, {}, limit, {{30, 20}});
  TiledLayer layer(devices, 30, 20, limit);
  layer.program(w);
  for (int i = 0; i < 10; ++i) layer.update(dw);
  Matrix<float> x(30, 30), y(30, 20);
  for (Index i = 0; i < 30; ++i) x(i, i) = 1;
  layer.forward(x, y);
  double mean = 0;
  for (const float v : y.flat()) mean += double(v) / 600;
  // 6.15 pulses of 0.002: 10 x 600 roundings with variance 0.15 x 0.85 of a pulse, 3.3 standard errors, seed 0
  CHECK(mean == Approx(0.123).margin(3.3 * 0.002 * std::sqrt(10 * 0.1275 / 600) + 1e-4));
  CHECK(layer.report().programs == 11);
  layer.update(normal(20, 30, 8, 0.1f));  // up to 170 pulses: two programmes of 127
  CHECK(layer.report().programs == 13);
  dw(19, 29) = 2.5f;  // a part of the change is not made
  const Matrix<float> before = layer.programmed();
  CHECK_THROWS_AS(layer.update(dw), OutOfRange);
  CHECK(distance(layer.programmed(), before) == 0);
  TileDevices written(registry(), "sim:mzi_mesh", {}, {}, {{8, 8}});
  TiledLayer mesh(written, 8, 8);
  mesh.program(normal(8, 8, 1));
  CHECK_THROWS_AS(mesh.update(Matrix<float>(8, 8)), Unsupported);
}

namespace {

/// Notes the drive at which it is asked for slopes.
class WatchedTwin : public Twin {
 public:
  WatchedTwin(std::unique_ptr<Twin> twin, Matrix<float>& drive) : twin_(std::move(twin)), drive_(drive) {}
  Index inputs() const override { return twin_->inputs(); }
  Index outputs() const override { return twin_->outputs(); }
  Index parameters() const override { return twin_->parameters(); }
  void program(View<const float> theta) override { twin_->program(theta); }
  void forward(View<const float> x, View<float> y) const override { twin_->forward(x, y); }
  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    drive_.resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), drive_.row(r).begin());
    twin_->vjp(x, grad_y, grad_x, grad_theta);
  }

 private:
  const std::unique_ptr<Twin> twin_;
  Matrix<float>& drive_;
};

/// One output of eight equal weights behind converters of 8 bits, and the drive its twin was asked at.
struct EightInputs {
  Session session;
  Layer layer;
  Matrix<float> drive;
  EightInputs(const std::string& range, const char* bounds)
      : session(registry().open(address(range)), address(range)),
        layer(session, 8, 1, {{"backward", std::string("twin")}, {"bound_management", std::string(bounds)}}) {
    layer.set_twin(std::make_unique<WatchedTwin>(registry().twin(address(range)), drive));
    Matrix<float> w(1, 8);
    std::ranges::fill(w.flat(), 1.0f);
    layer.program(w);
  }
  static std::string address(const std::string& range) {
    return "sim:crossbar,preset=ideal,adc.bits=8,dac.bits=8,weight.bits=8,input.size=8,output.size=1,adc.range=" +
           range;
  }
  /// What divides the drive of a row of `ones` ones, by its twin; the frames that the device took for it.
  std::pair<double, std::int64_t> factor(Index ones) {
    Matrix<float> x(1, 8), y(1, 1), g(1, 1), below(1, 8);
    for (Index j = 0; j < ones; ++j) x(0, j) = 1;
    g(0, 0) = 1;
    const std::int64_t before = layer.report().frames;
    layer.forward(x, y);
    layer.backward(x, g, below);
    CHECK(below(0, 0) == Approx(1).epsilon(0.02));
    return {127.0 / double(drive(0, 0) - 128), layer.report().frames - before};
  }
};

}  // namespace

TEST_CASE("the twin is asked at the drive at which bound management takes the device's answer") {
  // v = 127/128 and w = 127/128: four inputs sum to 3.94, eight to 7.88
  EightInputs iterative("2.1", "iterative"), worst_case("2.1", "worst_case");
  CHECK(iterative.factor(2) == std::pair(1.0, std::int64_t{1}));
  CHECK(iterative.factor(4) == std::pair(2.0, std::int64_t{2}));
  CHECK(iterative.factor(8) == std::pair(4.0, std::int64_t{3}));
  CHECK(worst_case.factor(2) == std::pair(1.0, std::int64_t{1}));
  // four codes m meet weights of norm 2.806: 2 m 2.806 stays below 126.5 steps of 2.1 with m = 47, not 48; eight codes
  // m sum to 7.94 m: 33
  CHECK(worst_case.factor(4) == std::pair(127.0 / 47, std::int64_t{2}));
  CHECK(worst_case.factor(8) == std::pair(127.0 / 33, std::int64_t{2}));
  EightInputs one_of_eight("0.5", "worst_case");  // 2.806 m stays below 126.5 steps of 0.5
  CHECK(one_of_eight.factor(1) == std::pair(127.0 / 22, std::int64_t{2}));
  EightInputs at_the_end("0.9945", "iterative");  // one input: code 254.7, which is 255 when rounded
  CHECK(at_the_end.factor(1) == std::pair(2.0, std::int64_t{2}));
}

TEST_CASE("rows too small to be shown have no gradient through the twin, and wrong shapes are named") {
  EightInputs one("2", "iterative");
  Matrix<float> x(1, 8), g(1, 1), below(1, 8), narrow(1, 7);
  std::ranges::fill(x.flat(), 1e-38f);
  g(0, 0) = 1;
  one.layer.backward(x, g, below);
  CHECK(std::ranges::all_of(below.flat(), [](float v) { return v == 0; }));
  CHECK_THROWS_WITH(one.layer.backward(x, g, narrow), Catch::Contains("grad_x") && Catch::Contains("1 x 7"));
  CHECK_THROWS_WITH(one.layer.backward(narrow, g, below), Catch::Contains("1 x 7 and 1 x 1"));
}

TEST_CASE("calibration finds the ADC's range for signals far below it, and for such that would clip") {
  const Matrix<float> w = normal(7, 9, 1), x = normal(40, 9, 2);
  Matrix<float> wanted(40, 7), y(40, 7);
  gemm(Transpose::no, Transpose::yes, 1.0f, x, w, 0.0f, wanted);
  const auto error = [&](const char* range, const std::string& device) {
    Opened one(device, w, {{"output_range", std::string(range)}});
    one.layer.forward(x, y);
    return distance(y, wanted);
  };
  const std::string quiet = "sim:crossbar,preset=ideal,weight.bits=12,dac.bits=12,adc.bits=8,adc.range=";
  CHECK(error("device", quiet + "1000") > 0.3);
  CHECK(error("measured", quiet + "1000") < 0.02);
  CHECK(error("measured", quiet + "0.05") < 0.02);
  // a train's losses multiply: its range is measured unless it is asked for
  const std::string train =
      "sim:tt_rfnn,tt.cores=3,tt.rank=64,loss=0,switch_loss=0.95,adc.bits=8,phase.bits=16,"
      "phase_error=0,splitter_error=0,output_noise=0";
  CHECK(error("auto", train) < 0.5 * error("device", train));
}

TEST_CASE("a range so narrow that no drive of the converter fits in it is found, a dark device is an error") {
  // With 31 levels of the drive and the ADC ending at 0.01, halving leads from clipped answers to no drive at all.
  const Matrix<float> w = normal(7, 9, 1), x = normal(40, 9, 2);
  Matrix<float> wanted(40, 7), y(40, 7);
  gemm(Transpose::no, Transpose::yes, 1.0f, x, w, 0.0f, wanted);
  Opened narrow("sim:crossbar,preset=ideal,weight.bits=12,dac.bits=6,adc.bits=10,adc.range=0.01", w,
                {{"output_range", std::string("measured")}});
  narrow.layer.forward(x, y);
  CHECK(distance(y, wanted) < 0.05);

  // Nine tenths of the power lost in an interferometer, and every way leads through 16 or more: no range of the device
  // shows anything.
  Session dark(
      registry().open("sim:mzi_mesh,input.size=16,output.size=16,loss=0.9,splitter_error=0,phase_error=0,"
                      "crosstalk=0,vacuum_noise=false,output_noise=0,adc.bits=8"));
  const double before = dark.settings().real("adc.range");
  Layer layer(dark, 16, 16, {{"output_range", std::string("measured")}});
  layer.program(normal(16, 16, 3));
  CHECK_THROWS_AS(layer.calibrate(), CalibrationError);
  CHECK_FALSE(layer.calibration().done);
  CHECK(layer.output_range() == before);
  CHECK(dark.settings().real("adc.range") == before);
  // No weights, nothing to see: that is no fault of the range, which is not touched. Offsets are seen where they count.
  Session plain(registry().open("sim:crossbar,preset=ideal,input.size=9,output.size=7"));
  for (const double limit : {0.0, 1.0}) {
    Layer empty(plain, 9, 7, {{"output_range", std::string("measured")}, {"weight_limit", limit}});
    const double range = empty.output_range();
    empty.program(Matrix<float>(7, 9));
    empty.calibrate();
    CHECK(empty.output_range() == range);
    CHECK(empty.report().frames == (limit > 0 ? empty.settings().integer("calibration_vectors") : 0));
  }
}

TEST_CASE("the gradient of a learned ADC range is what the answers say: rounding within the range, clipping beyond") {
  // y = F (v + rounding), F the range in units of y: dy/d(factor) = y / factor where the code is at an end, (y - z) /
  // factor elsewhere, z the exact product. All of it is known from the answers of a device without noise.
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(50, 9, 2), g = normal(50, 7, 3);
  for (const bool clips : {false, true}) {
    Opened one(std::string("sim:crossbar,preset=ideal,dac.bits=14,weight.bits=16,adc.bits=") + (clips ? "10" : "4"), w,
               {{"output_range", std::string("learned")},
                {"noise_management", std::string("fixed")},
                {"input_range", 4.0},
                {"bound_management", std::string("none")}});
    one.layer.set_output_factor(clips ? 0.08 : 2.0);
    Matrix<float> y(50, 7), exact(50, 7);
    one.layer.forward(x, y);
    gemm(Transpose::no, Transpose::yes, 1.0f, x, one.layer.programmed(), 0.0f, exact);
    float low = 0, high = 0;
    for (const float v : y.flat()) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
    double expected = 0;
    for (std::size_t i = 0; i < y.flat().size(); ++i) {
      const float far = y.flat()[i], z = exact.flat()[i];
      const bool beyond = clips && (z <= low || z >= high);
      expected += double(g.flat()[i]) * double(beyond ? far : far - z) / one.layer.output_factor();
    }
    CHECK((one.layer.report().saturated > 0) == clips);
    CHECK(one.layer.output_factor_gradient(x, g) == Approx(expected).epsilon(0.02));
  }
  Opened plain("sim:crossbar", w, {});
  CHECK_THROWS_AS(plain.layer.set_output_factor(2), Unsupported);
  CHECK_THROWS_AS(plain.layer.output_factor_gradient(x, g), Unsupported);
  plain.backward(x, g);  // it stays programmed
}

TEST_CASE("the gradient of a learned ADC range is what the answers say where it has levels, odd or even") {
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(50, 9, 2);
  for (const char* levels : {"32", "33"})
    for (const double factor : {0.08, 2.0}) {
      Opened one(std::string("sim:crossbar,preset=ideal,dac.bits=14,weight.bits=16,adc.bits=12,adc.levels=") + levels,
                 w,
                 {{"output_range", std::string("learned")},
                  {"noise_management", std::string("fixed")},
                  {"input_range", 4.0},
                  {"bound_management", std::string("none")},
                  {"calibration_vectors", std::int64_t{20000}}});  // gain and offset from so coarse answers
      one.layer.set_output_factor(factor);
      Matrix<float> y(50, 7), exact(50, 7);
      one.layer.forward(x, y);
      gemm(Transpose::no, Transpose::yes, 1.0f, x, one.layer.programmed(), 0.0f, exact);
      const float end = *std::ranges::max_element(y.flat()) * 2048 / 2047;  // the highest code of 12 bits
      Matrix<float> g = normal(50, 7, 3);
      double expected = 0;
      for (std::size_t i = 0; i < y.flat().size(); ++i) {
        const float far = y.flat()[i], z = exact.flat()[i], step = 2 * end / (std::stof(levels) - 1);
        if (std::abs(std::abs(far - z) / step - 0.5f) < 0.02f) g.flat()[i] = 0;  // either level is as near
        expected += double(g.flat()[i]) * double(factor < 1 && std::abs(z) >= end ? far : far - z) / factor;
      }
      INFO(levels << ", factor " << factor);
      CHECK((one.layer.report().saturated > 0) == (factor < 1));
      CHECK(one.layer.output_factor_gradient(x, g) == Approx(expected).epsilon(0.02));
    }
}

TEST_CASE("the gradient of a learned ADC range is that at the drive at which bound management takes the answer") {
  // No answer that is taken is at an end, so dy/d(factor) = (y - z) / factor by the answers alone. At 4 bits the codes
  // end at -8 and 7: what rounds to one of these is shown again at half the drive.
  Matrix<float> w(1, 8);
  std::ranges::fill(w.flat(), 1.0f);
  Session session(
      registry().open("sim:crossbar,preset=ideal,dac.bits=16,weight.bits=16,adc.bits=4,input.size=8,output.size=1"));
  Layer layer(session, 8, 1, {{"output_range", std::string("learned")}, {"noise_management", std::string("fixed")}});
  layer.program(w);
  layer.calibrate();
  layer.set_output_factor(0.5);
  for (const auto& [code, frames] : {std::pair{6.4, 1}, {6.6, 2}, {9.4, 2}, {-6.6, 1}, {-7.6, 2}, {3.3, 1}}) {
    Matrix<float> x(1, 8), y(1, 1), g(1, 1);
    std::ranges::fill(x.flat(), static_cast<float>(code / 8 * layer.output_range() / 8));
    g(0, 0) = 1;
    const std::int64_t before = layer.report().frames;
    layer.forward(x, y);
    INFO(code);
    CHECK(layer.report().frames == before + frames);
    const double expected = (double(y(0, 0)) - 8 * double(x(0, 0))) / 0.5;
    CHECK(layer.output_factor_gradient(x, g) == Approx(expected).epsilon(0.03));
  }
}

TEST_CASE("calibration takes no notice of a learned factor, and an unchanged factor costs nothing") {
  const Matrix<float> w = normal(7, 9, 1, 0.3f), x = normal(40, 9, 2);
  const Settings learned{{"output_range", std::string("learned")}, {"bound_management", std::string("none")}};
  Opened one("sim:crossbar,preset=ideal,dac.bits=12,weight.bits=12,adc.bits=12", w, learned);
  Matrix<float> first(40, 7), again(40, 7);
  one.layer.set_output_factor(0.3);
  one.layer.forward(x, first);
  one.layer.calibrate();
  CHECK(one.layer.output_factor() == 0.3);
  one.layer.forward(x, again);
  CHECK(distance(again, first) < 1e-3);  // through clipped answers the gain would be another

  Settings shared = learned;
  shared["devices"] = std::string("one");
  TileDevices device(registry(), "sim:crossbar,preset=ideal,input.size=9,output.size=7", {}, shared, {{9, 7}});
  TiledLayer alone(device, 9, 7, shared);
  alone.program(w);
  alone.calibrate();
  alone.set_output_factor(0.9);
  alone.forward(x, first);
  const std::int64_t written = alone.report().programs;
  alone.set_output_factor(0.9);
  alone.forward(x, first);
  CHECK(alone.report().programs == written);
}

TEST_CASE("a range that is to be measured is, by the first pass if nobody has asked") {
  const Matrix<float> w = normal(7, 9, 1), x = normal(40, 9, 2);
  Matrix<float> wanted(40, 7), y(40, 7);
  gemm(Transpose::no, Transpose::yes, 1.0f, x, w, 0.0f, wanted);
  Session far(registry().open("sim:crossbar,preset=ideal,adc.range=1000,input.size=9,output.size=7"));
  Layer layer(far, 9, 7, {{"output_range", std::string("measured")}});
  layer.program(w);
  layer.forward(x, y);
  CHECK(layer.calibration().done);
  CHECK(distance(y, wanted) < 0.05);
  CHECK_THROWS_WITH(Layer(far, 9, 7, {{"output_range", std::string("learned")}, {"calibrate", false}}),
                    Catch::Contains("layer.calibrate"));
}

TEST_CASE("a programme that learns is snapped before its first step too, and damaged snapshots are refused") {
  const std::string mesh =
      "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,"
      "adc.bits=14,dac.bits=12,phase.bits=16,phase.law=linear,input.size=4,output.size=4";
  const Settings learns{{"update", std::string("programme")}, {"weight_limit", 3.0}};
  const Matrix<float> w = normal(4, 4, 1, 0.3f), x = normal(20, 4, 2), g = normal(20, 4, 3);
  Session device(registry().open(mesh)), other(registry().open(mesh));
  Layer one(device, 4, 4, learns), two(other, 4, 4, learns);
  for (Layer* layer : {&one, &two}) layer->set_twin(registry().twin(mesh));
  one.program(w);
  two.program(Matrix<float>(4, 4));
  two.restore(one.snapshot());
  const auto apart = [&] {
    Matrix<float> a(4, 4), b(4, 4);
    std::ranges::copy(one.programmed().row(0), a.row(0).begin());
    std::ranges::copy(two.programmed().row(0), b.row(0).begin());
    return distance(b, a);
  };
  CHECK(apart() < 1e-3);
  one.learn_programme(x, g, 0.01);
  two.learn_programme(x, g, 0.01);
  CHECK(apart() < 1e-3);

  Matrix<float> endless = g;
  endless(3, 1) = std::numeric_limits<float>::infinity();
  const std::vector<std::byte> before = one.snapshot();
  CHECK_THROWS_WITH(one.learn_programme(x, endless, 0.01), Catch::Contains("not finite"));
  CHECK(one.snapshot() == before);
  std::vector<std::byte> damaged = before;  // behind the means of squared gradients: two flags, a programme, windows
  const float negative = -1;
  const std::size_t tail = 2 + sizeof(std::uint64_t) + 5 * sizeof(double);
  std::memcpy(damaged.data() + damaged.size() - tail - sizeof negative, &negative, sizeof negative);
  CHECK_THROWS_AS(one.restore(damaged), InvalidParameter);
  CHECK(one.snapshot() == before);
}

TEST_CASE("a gradient that monitors measure takes three frames a sample, and is what their noise makes of it") {
  const std::string mesh =
      "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,"
      "adc.bits=14,dac.bits=12,phase.bits=16,phase.law=linear,correction=none,input.size=4,output.size=4";
  const Settings learns{{"update", std::string("programme")}, {"weight_limit", 3.0}};
  const Matrix<float> w = normal(4, 4, 1, 0.3f), x = normal(20, 4, 2), g = normal(20, 4, 3);
  struct Step {
    LayerReport report;
    Meter meter;
    Matrix<float> held;
  };
  const auto step = [&](const std::string& more) {
    Session device(registry().open(mesh + more));
    Layer layer(device, 4, 4, learns);
    layer.set_twin(registry().twin(mesh + more));
    layer.program(w);
    const LayerReport expected = layer.expected_gradient(20);
    const Meter before = device.meter();
    layer.learn_programme(x, g, 0.01);
    CHECK(layer.report().frames - expected.frames == 0);
    CHECK(device.meter().frames - before.frames == expected.frames);
    CHECK(layer.report().device_j == Approx(device.meter().device_j));
    CHECK(layer.report().energy.joules() == Approx(layer.report().device_j));
    Step made{layer.report(), device.meter(), Matrix<float>(4, 4)};
    for (Index i = 0; i < 4; ++i) std::ranges::copy(layer.programmed().row(i), made.held.row(i).begin());
    return made;
  };
  const Step computed = step(""), measured = step(",monitors=true"), noisy = step(",monitors=true,monitor_noise=0.5"),
             again = step(",monitors=true,monitor_noise=0.5");
  CHECK(computed.report.frames == 0);
  CHECK(measured.report.frames == 60);
  const auto& parts = measured.report.energy.parts();
  const auto monitors = std::ranges::find(parts, "monitors", &EnergyPart::name);
  REQUIRE(monitors != parts.end());
  CHECK(monitors->events == 60 * 36);
  CHECK(std::ranges::equal(noisy.held.flat(), again.held.flat()));
  CHECK(!std::ranges::equal(noisy.held.flat(), measured.held.flat()));
}

TEST_CASE(
    "phases of meshes go round, attenuators, and phases that a voltage sets, stop at their ends and are counted") {
  // One step of Adam as wide as the whole range takes every code with a gradient out of it.
  const Matrix<float> w = normal(4, 4, 1, 0.3f), x = normal(20, 4, 2), g = normal(20, 4, 3);
  for (const std::string law : {"linear", "voltage"}) {
    Opened one(
        "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,"
        "adc.bits=14,dac.bits=12,phase.bits=16,phase.law=" +
            law,
        w, {{"update", std::string("programme")}, {"weight_limit", 3.0}});
    CHECK(one.layer.report().clipped_updates == 0);
    one.layer.learn_programme(x, g, 1.0);
    INFO(law);
    if (law == "linear")
      CHECK(one.layer.report().clipped_updates == 4);  // attenuators
    else
      CHECK(one.layer.report().clipped_updates > 8);
  }
}

TEST_CASE("an attenuator that is pushed through 0 stays there: what it lets through does not rise again") {
  // y_1 shall fall: the attenuator of its own singular value closes, and would open again if its code went round.
  Matrix<float> w(2, 2), x(1, 2), g(1, 2);
  w(0, 0) = 0.8f;
  w(1, 1) = 0.03f;
  x(0, 1) = g(0, 1) = 1;
  Opened one(
      "sim:mzi_mesh,splitter_error=0,phase_error=0,crosstalk=0,loss=0,vacuum_noise=false,output_noise=0,"
      "adc.bits=14,dac.bits=12,phase.bits=16,phase.law=linear",
      w, {{"update", std::string("programme")}, {"weight_limit", 1.0}});
  float lowest = one.layer.programmed()(1, 1);
  CHECK(lowest == Approx(0.03).margin(1e-3));
  int left = 8;  // steps beyond the end: about as many as Adam remembers
  for (int step = 0; step < 20 && left > 0; ++step) {
    one.layer.learn_programme(x, g, 4e-3);
    const float now = one.layer.programmed()(1, 1);
    INFO("step " << step << ", clipped " << one.layer.report().clipped_updates);
    CHECK(now < lowest + 0.01f);
    lowest = std::min(lowest, now);
    left -= one.layer.report().clipped_updates > 0;
  }
  CHECK(one.layer.report().clipped_updates > 0);
}
