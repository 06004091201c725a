// A Layer on the simulated crossbar: what comes out is the product, with the errors that were asked for.
#include "driver/layer/layer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"

namespace lightloop {
namespace {

Session open(const std::string& address, Index n_in, Index n_out, const Settings& layer = {}) {
  Registry registry;
  add_devices(registry);
  const DeviceAddress parsed = parse_address(address);
  const auto sizes = sizes_for_layer(registry.model(parsed.target).params, parsed.settings, layer, n_in, n_out);
  return Session(registry.open(address, sizes), address);
}

Matrix<float> uniform(Index rows, Index cols, float size, std::uint64_t set) {
  Matrix<float> m(rows, cols);
  Stream(5, set, Purpose::user).uniform(0, 0, m.flat());
  for (float& value : m.flat()) value = size * (2 * value - 1);
  return m;
}

Matrix<double> product(const Matrix<float>& x, View<const float> w, bool transposed = false) {
  const Index n = transposed ? w.cols() : w.rows();
  Matrix<double> y(x.rows(), n);
  for (Index r = 0; r < x.rows(); ++r)
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < x.cols(); ++j)
        y(r, i) += static_cast<double>(x(r, j)) * static_cast<double>(transposed ? w(j, i) : w(i, j));
  return y;
}

template <class T>
double rms(const Matrix<T>& y, const Matrix<double>& wanted) {
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += std::pow(static_cast<double>(y.data()[i]) - wanted.data()[i], 2);
  return std::sqrt(sum / static_cast<double>(y.size()));
}

const std::string kIdeal = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=";

}  // namespace

TEST_CASE("with fine converters and no noise a layer is the product, for every scheme of weights and both directions") {
  for (const char* weights : {"signed", "differential", "offset"})
    for (const char* scale : {"matrix", "row"}) {
      INFO(weights << ", " << scale);
      const Settings settings{{"cells", std::string(weights)}, {"weight_scale", std::string(scale)}};
      Session session = open(kIdeal + "30", 20, 13, settings);
      Layer layer(session, 20, 13, settings);
      Matrix<float> w = uniform(13, 20, 3.0f, 1);
      for (float& value : w.row(4)) value *= 0.01f;
      layer.program(w);
      const Matrix<float> x = uniform(50, 20, 7.0f, 2), g = uniform(50, 13, 0.2f, 3);
      Matrix<float> y(50, 13), back(50, 20);
      layer.forward(x, y);
      layer.transposed(g, back);
      const Matrix<double> wanted = product(x, w), wanted_back = product(g, w, true);
      // one ADC step is 30 / 2^15; scales 3 and 7 (0.2) and a factor 2 for the offset scheme: below 0.06 (0.002)
      CHECK(rms(y, wanted) < 0.03);
      CHECK(rms(back, wanted_back) < 1e-3);
      CHECK(rms(y, wanted) > 1e-6);  // converters there must be
      CHECK(rms(y, product(x, layer.programmed())) < 0.03);
      CHECK(layer.report().frames == 100);
      CHECK(layer.report().vectors == 100);
      CHECK(layer.report().device_j > 0);
      CHECK(layer.report().device_s == Approx(session.meter().device_s));
      CHECK(layer.report().device_j == Approx(session.meter().device_j));
    }
}

TEST_CASE("the default error of a tile is sqrt(out_noise^2 + s_out^2 / 12 + |w|^2 s_in^2 / 12) (n 25600, seed 3)") {
  // 127 input levels (step 2 / 126), 511 output levels over +-12, output noise 0.06, W uniform on +-1/16, 256 inputs:
  // 0.06158 in units of the input range and weight range together. The formula's full drive is the code 63 of +-64, so
  // the device's own figures are 63 / 64 of these.
  const std::string address =
      "sim:crossbar,preset=ideal,dac.bits=7,weight.bits=16,adc.bits=9,adc.range=11.858823529411765,output_noise=0."
      "0590625,"
      "seed=3";
  Session session = open(address, 256, 256);
  const Settings settings{{"weight_limit", 1.0}, {"bound_management", std::string("none")}};
  Layer layer(session, 256, 256, settings);
  const Matrix<float> w = uniform(256, 256, 1.0f / 16, 1), x = uniform(100, 256, 1.0f, 2);
  layer.program(w);
  Matrix<float> y(100, 256);
  layer.forward(x, y);
  const Matrix<double> wanted = product(x, w);
  double sum = 0;
  for (Index r = 0; r < 100; ++r) {
    const double alpha = static_cast<double>(*std::max_element(
        x.row(r).begin(), x.row(r).end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
    for (Index i = 0; i < 256; ++i) sum += std::pow((static_cast<double>(y(r, i)) - wanted(r, i)) / std::abs(alpha), 2);
  }
  CHECK(std::sqrt(sum / 25600) == Approx(0.06158).epsilon(0.015));  // 3.4 standard errors of an rms of 25600
}

TEST_CASE("bound management shows clipped rows again at less drive until nothing is clipped, and counts it") {
  const Matrix<float> w = uniform(16, 64, 1.0f, 1);
  Matrix<float> x = uniform(40, 64, 1.0f, 2);
  for (Index j = 0; j < 64; ++j) x(7, j) = w(3, j) > 0 ? 1.0f : -1.0f;  // row 7 drives output 3 to its utmost
  const Matrix<double> wanted = product(x, w);
  const auto result = [&](const char* management) {
    Session session = open(kIdeal + "5", 64, 16);
    Layer layer(session, 64, 16, {{"bound_management", std::string(management)}});
    layer.program(w);
    Matrix<float> y(40, 16);
    layer.forward(x, y);
    return std::pair(std::abs(static_cast<double>(y(7, 3)) - wanted(7, 3)), layer.report());
  };
  const auto [error_none, none] = result("none");
  const auto [error_iterative, iterative] = result("iterative");
  const auto [error_worst, worst] = result("worst_case");
  CHECK(error_none > 10);
  CHECK(none.saturated > 0);
  CHECK(none.frames == 40);
  CHECK(error_iterative < 0.05);
  CHECK(iterative.saturated == 0);
  CHECK(iterative.frames > worst.frames);
  CHECK(error_worst < 0.05);
  CHECK(worst.saturated == 0);
}

TEST_CASE("bound management meets the end of an ADC of few levels where its last level is") {
  const Matrix<float> w = uniform(16, 64, 1.0f, 1);
  Matrix<float> x = uniform(40, 64, 1.0f, 2);
  for (Index j = 0; j < 64; ++j) x(7, j) = w(3, j) > 0 ? 1.0f : -1.0f;
  Session session = open(kIdeal + "5,adc.levels=101", 64, 16);
  Layer layer(session, 64, 16, {{"bound_management", std::string("iterative")}});
  layer.program(w);
  Matrix<float> y(40, 16);
  layer.forward(x, y);
  const double step = 8 * 5.0 / 50;  // of a row shown at an eighth of its drive
  CHECK(std::abs(static_cast<double>(y(7, 3)) - product(x, w)(7, 3)) < step);
  CHECK(layer.report().saturated == 0);
  CHECK(layer.report().frames > 40);
}

TEST_CASE("an ADC of so few levels that its ends are ordinary answers has rows shown once, and is calibrated") {
  Matrix<float> w(8, 8), x(8, 8), y(8, 8);
  for (Index i = 0; i < 8; ++i) w(i, i) = 1;
  std::ranges::fill(x.flat(), -1.0f);
  for (Index i = 0; i < 8; ++i) x(i, i) = 1;
  for (const char* converter : {"adc.levels=2", "adc.levels=3", "adc.levels=9", "adc.bits=2", "adc.bits=3"}) {
    INFO(converter);
    // beyond the middle of the two last levels, so that every answer is at an end
    Session session =
        open("sim:crossbar,preset=ideal,adc.range=1,dac.bits=14,weight.bits=14," + std::string(converter), 8, 8);
    Layer layer(session, 8, 8);
    CHECK(layer.most_repeats() == 0);
    layer.program(w);
    layer.forward(x, y);
    CHECK(layer.report().frames == 8);
    for (Index i = 0; i < 64; ++i) CHECK(std::signbit(y.data()[i]) == std::signbit(x.data()[i]));
    layer.calibrate();
    layer.forward(x, y);
    for (Index i = 0; i < 64; ++i) CHECK(y.data()[i] == Approx(x.data()[i]).margin(0.01));
  }
  for (const char* converter : {"adc.levels=10", "adc.bits=4"}) {
    Session session = open("sim:crossbar,preset=ideal,adc.range=1," + std::string(converter), 8, 8);
    Layer layer(session, 8, 8);
    CHECK(layer.most_repeats() == 10);
    layer.program(w);
    layer.forward(x, y);
    CHECK(layer.report().frames == 16);
  }
}

TEST_CASE("inputs beyond a fixed range stay clipped where bound management shows them again") {
  Matrix<float> w(1, 8), x(3, 8), y(3, 1);
  std::ranges::fill(w.flat(), 1.0f);
  std::ranges::fill(x.row(0), 3.0f);
  std::ranges::fill(x.row(1), -0.75f);
  x(1, 0) = x(1, 1) = -100;
  std::ranges::fill(x.row(2), 1e30f);
  for (const char* management : {"iterative", "worst_case"}) {
    INFO(management);
    Session session = open(kIdeal + "1", 8, 1);
    Layer layer(session, 8, 1,
                {{"noise_management", std::string("fixed")},
                 {"input_range", 1.0},
                 {"bound_management", std::string(management)}});
    layer.program(w);
    layer.forward(x, y);
    CHECK(layer.report().frames > 3);
    CHECK(layer.report().saturated == 0);
    CHECK(y(0, 0) == Approx(8).epsilon(0.005));
    CHECK(y(1, 0) == Approx(-6.5).epsilon(0.005));
    CHECK(y(2, 0) == Approx(8).epsilon(0.005));
  }
}

TEST_CASE("bound management stops at the weakest drive that shows something, and counts what is at the end there") {
  // full drive is code 7: rows whose sums are beyond 7 ranges are at the end at code 1 too
  const Matrix<float> w = uniform(8, 64, 1.0f, 1), x = uniform(400, 64, 1.0f, 2);
  for (const char* management : {"iterative", "worst_case"}) {
    INFO(management);
    Session session = open("sim:crossbar,preset=ideal,adc.range=1,dac.bits=4", 64, 8);
    Layer layer(session, 64, 8, {{"bound_management", std::string(management)}});
    layer.program(w);
    Matrix<float> y(400, 8);
    layer.forward(x, y);
    for (Index r = 0; r < 400; ++r) CHECK(std::ranges::any_of(y.row(r), [](float value) { return value != 0; }));
    CHECK(layer.report().saturated > 0);
    CHECK(session.next_frame_id() == 400);
    const std::int64_t frames = layer.report().frames;
    const Matrix<float> none(3, 64);
    Matrix<float> zeros(3, 8);
    layer.forward(none, zeros);
    CHECK(layer.report().frames == frames + 3);
  }
}

TEST_CASE("answers depend neither on how rows are grouped nor on threads, repeats included") {
  const Matrix<float> w = uniform(16, 64, 1.0f, 1), x = uniform(40, 64, 1.0f, 2);
  const auto answers = [&](std::initializer_list<Index> cuts, int count) {
    const int before = threads();
    set_threads(count);
    Session session = open("sim:crossbar,adc.range=4", 64, 16);
    Layer layer(session, 64, 16, {{"noise_management", std::string("running")}, {"input_range", 0.5}});
    layer.program(w);
    Matrix<float> y(40, 16);
    Index first = 0;
    for (const Index n : cuts) {
      layer.forward(x.view().rows(first, n), y.view().rows(first, n));
      first += n;
    }
    set_threads(before);
    CHECK(layer.report().frames > 40);  // there were repeats
    CHECK(session.next_frame_id() == 40);
    return std::vector<float>(y.flat().begin(), y.flat().end());
  };
  const auto whole = answers({40}, 1);
  CHECK(whole == answers({1, 30, 9}, 1));
  CHECK(whole == answers({20, 20}, 3));
}

TEST_CASE("rows of zeros, of the smallest and of the largest numbers are handled") {
  Session session = open(kIdeal + "30", 8, 8);
  Layer layer(session, 8, 8);
  Matrix<float> w = uniform(8, 8, 1.0f, 1), x(3, 8), y(3, 8);
  std::fill_n(x.row(1).data(), 8, 1e-42f);
  std::fill_n(x.row(2).data(), 8, 1e37f);
  layer.program(w);
  layer.forward(x, y);
  for (const float value : y.row(0)) CHECK(value == 0);
  for (const float value : y.row(1)) CHECK(std::abs(value) < 1e-40f);
  const Matrix<double> wanted = product(x, w);
  for (Index i = 0; i < 8; ++i) CHECK(y(2, i) == Approx(wanted(2, i)).margin(1e35));
}

TEST_CASE("a fixed range clips what lies beyond and says so") {
  Session session = open(kIdeal + "30", 8, 8);
  Layer layer(session, 8, 8, {{"noise_management", std::string("fixed")}, {"input_range", 2.0}});
  Matrix<float> w(8, 8), x(1, 8), y(1, 8);
  for (Index i = 0; i < 8; ++i) {
    w(i, i) = 1;
    x(0, i) = static_cast<float>(i) - 3.5f;
  }
  layer.program(w);
  layer.forward(x, y);
  CHECK(layer.report().clipped_inputs == 4);
  CHECK(y(0, 0) == Approx(-2).margin(0.01));
  CHECK(y(0, 7) == Approx(2).margin(0.01));
  CHECK(y(0, 3) == Approx(-0.5).margin(0.01));
}

TEST_CASE("calibration finds a wrong scale of the ADC's range, a row of zeros stays zero") {
  for (const char* compensation : {"global", "column"}) {
    Session session = open(kIdeal + "30", 20, 10);
    Layer layer(session, 20, 10, {{"compensation", std::string(compensation)}});
    const Matrix<float> w = uniform(10, 20, 1.0f, 1), x = uniform(30, 20, 1.0f, 2);
    layer.program(w);
    session.configure({{"adc.range", 24.0}});  // behind the layer's back: answers are now 30 / 24 of what it expects
    Matrix<float> y(30, 10);
    layer.calibrate();
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    CHECK(layer.calibration().residual < 2e-3);
    layer.forward(x, y);
    CHECK(rms(y, product(x, w)) < 5e-3);
    const auto state = layer.snapshot();
    layer.program(w);
    CHECK_FALSE(layer.calibration().done);
    layer.restore(state);
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    Matrix<float> others = w;
    others(0, 0) = -w(0, 0);
    layer.program(others);
    CHECK_THROWS_AS(layer.restore(state), InvalidParameter);
    auto older = state;  // as it was before windows stood at the end
    older[0] = std::byte{7};
    older.resize(older.size() - 5 * sizeof(double));
    layer.program(w);
    layer.restore(older);
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    older[0] = std::byte{5};  // and before the device's programme and a flag
    older.resize(older.size() - sizeof(std::uint64_t) - 1);
    layer.program(w);
    layer.restore(older);
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    older[0] = std::byte{4};  // and before a flag and the digest of the weights
    older.resize(older.size() - 65);
    layer.program(w);
    layer.restore(older);
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    older[0] = std::byte{3};  // and before the ADC's range, its factor and a flag
    older.resize(older.size() - 2 * sizeof(double) - 1);
    layer.program(w);
    layer.restore(older);
    CHECK(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
    older[0] = std::byte{2};
    CHECK_THROWS_AS(layer.restore(older), InvalidParameter);
    auto wrong = state;
    wrong.push_back(std::byte{0});
    CHECK_THROWS_AS(layer.restore(wrong), InvalidParameter);
  }
}

TEST_CASE("a matrix of zeros answers zeros on every device, and is calibrated once it has weights") {
  for (const char* model : {"sim:crossbar", "sim:mzi_mesh", "sim:homodyne", "sim:ring_bank", "sim:tt_rfnn"})
    for (const char* cells : {"signed", "differential", "offset"}) {
      const bool is_signed = cells == std::string("signed"), is_mesh = model == std::string("sim:mzi_mesh");
      if (!is_signed && (is_mesh || model == std::string("sim:tt_rfnn"))) continue;
      INFO(model << ", " << cells);
      const Settings settings{{"cells", std::string(cells)}};
      Session session = open(model, 20, 10, settings);
      Layer layer(session, 20, 10, settings);
      const Matrix<float> w = uniform(10, 20, 0.1f, 1), x = uniform(30, 20, 1.0f, 2), zeros(10, 20);
      const Matrix<double> nothing(30, 10);
      Matrix<float> y(30, 10), back(10, 20);
      layer.program(zeros);
      layer.forward(x, y);
      CHECK(rms(y, nothing) == 0);
      layer.calibrate();
      CHECK(layer.calibration().done);
      CHECK(layer.calibration().gain == 1);
      layer.forward(x, y);
      if (session.info().transposed) layer.transposed(uniform(10, 10, 1.0f, 3), back);
      CHECK(rms(y, nothing) == 0);
      CHECK(rms(back, Matrix<double>(10, 20)) == 0);
      const auto state = layer.snapshot();
      layer.program(zeros);
      layer.restore(state);
      layer.program(w, true);  // as in training: the gain of zeros is nobody's
      layer.forward(x, y);
      CHECK(rms(y, product(x, layer.programmed())) < 0.5 * rms(y, nothing));  // of a train: what its ranks leave
      if (is_mesh) CHECK(layer.calibration().gain < 0.95);
      CHECK(layer.calibration().gain != 1);
      const double gain = layer.calibration().gain;
      layer.program(w, true);
      layer.forward(x, y);
      CHECK(layer.calibration().gain == gain);
    }
}

TEST_CASE(
    "calibration at the density of the inputs takes out the gain that wires have there, not that of a full drive") {
  // Voltage lost goes with the current of the whole row of inputs, so the gain at a twentieth of
  // it is nearer to 1 than at the full drive, and a line through full drives answers too much.
  const Index n = 512, n_out = 16;
  const Matrix<float> w = uniform(n_out, n, 1, 1);
  Matrix<float> x(200, n), y(200, n_out);
  const Stream stream(6, 0, Purpose::user);
  for (Index r = 0; r < x.rows(); ++r) {
    stream.uniform(static_cast<std::uint64_t>(r), 0, x.row(r));
    for (float& value : x.row(r)) value = value < 0.025f ? -1 : value > 0.975f ? 1 : 0;
  }
  const Matrix<double> wanted = product(x, w);
  double error[2];
  for (const bool same : {false, true}) {
    Session session = open(kIdeal + "40,ir_drop=2", n, n_out);
    Layer layer(session, n, n_out,
                {{"calibration_density", same ? 0.05 : 1.0}, {"compensation", std::string("column")}});
    layer.program(w);
    layer.calibrate();
    layer.forward(x, y);
    error[same] = rms(y, wanted);
  }
  INFO("full drive " << error[0] << ", as the inputs " << error[1]);
  CHECK(error[1] < error[0] / 3);
  Session session = open(kIdeal + "40", 3, 2);  // hardly any of so few inputs is drawn
  Layer layer(session, 3, 2, {{"calibration_density", 1e-3}});
  layer.program(uniform(2, 3, 1, 1));
  layer.calibrate();
  CHECK(layer.calibration().gain == Approx(1).margin(1e-3));
}

TEST_CASE("zeros beside weights have the noise of those, zeros of a fixed scale that of the scale") {
  const Matrix<float> x = uniform(300, 32, 1.0f, 2);
  const auto noise_of_row = [&](float others, const Settings& settings) {
    Session session = open("sim:crossbar", 32, 8);
    Layer layer(session, 32, 8, settings);
    Matrix<float> w = uniform(8, 32, others, 1), y(300, 8), row(300, 1);
    std::ranges::fill(w.row(3), 0.0f);
    layer.program(w);
    layer.calibrate();
    layer.forward(x, y);
    for (Index r = 0; r < 300; ++r) row(r, 0) = y(r, 3);
    return rms(row, Matrix<double>(300, 1));
  };
  const double beside = noise_of_row(0.05f, {}), limited = noise_of_row(0.0f, {{"weight_limit", 0.05}});
  CHECK(beside > 0);
  CHECK(limited == Approx(beside).epsilon(0.2));  // 300 rows: 3 standard errors of a ratio of deviations are 0.17
  CHECK(noise_of_row(0.05f, {{"weight_scale", std::string("row")}}) == 0);
}

TEST_CASE("calibrating zeros of a fixed scale takes out what the device answers to nothing") {
  for (const char* compensation : {"global", "column"}) {
    Session session = open("sim:crossbar,preset=ideal,adc.bits=14,adc.range=4,asymmetry=0.1", 20, 10);
    Layer layer(session, 20, 10, {{"weight_limit", 1.0}, {"compensation", std::string(compensation)}});
    layer.program(Matrix<float>(10, 20));
    layer.calibrate();
    CHECK(layer.calibration().done);
    CHECK(layer.calibration().gain == 1);
    CHECK(layer.calibration().residual == 0);
  }
}

TEST_CASE(
    "behind a gain that calibration found a layer is the product, for every scheme of weights and both directions") {
  for (const char* weights : {"signed", "differential", "offset"}) {
    INFO(weights);
    const Settings settings{{"cells", std::string(weights)}};
    Session session = open(kIdeal + "30", 20, 13, settings);
    Layer layer(session, 20, 13, settings);
    const Matrix<float> w = uniform(13, 20, 1.0f, 1), x = uniform(50, 20, 1.0f, 2), g = uniform(50, 13, 1.0f, 3);
    layer.program(w);
    session.configure({{"adc.range", 24.0}});  // behind the layer's back: a gain of 30 / 24
    layer.calibrate();
    Matrix<float> y(50, 13), back(50, 20);
    layer.forward(x, y);
    layer.transposed(g, back);
    // a step of the ADC, 24 / 2^15 = 7e-4, is what both may be off by, twice of cells in pairs; without the gain 0.4
    CHECK(rms(y, product(x, w)) < 2e-3);
    CHECK(rms(back, product(g, w, true)) < 2e-3);
  }
}

TEST_CASE("the drive that cannot clip knows the calibrated gain") {
  const Settings settings{{"bound_management", std::string("worst_case")}, {"max_repeats", std::int64_t{1}}};
  Session session = open(kIdeal + "12", 20, 3, settings);
  Layer layer(session, 20, 3, settings);
  Matrix<float> w(3, 20), x(1, 20), y(1, 3);
  std::ranges::fill(w.flat(), 1.0f);
  std::ranges::fill(x.flat(), 1.0f);  // a sum of 20
  layer.program(w);
  session.configure({{"adc.range", 9.6}});
  layer.calibrate();
  REQUIRE(layer.calibration().gain == Approx(1.25).epsilon(1e-3));
  const std::int64_t before = layer.report().saturated;
  layer.forward(x, y);
  CHECK(layer.report().saturated == before);
  CHECK(static_cast<double>(y(0, 0)) == Approx(20).epsilon(1e-3));  // a step of the ADC is 3e-5 of it; clipped: 19.2
}

TEST_CASE("what calibration leaves unexplained is the relative error of the outputs, for every scheme of weights") {
  const Matrix<float> w = uniform(10, 20, 1.0f, 1);
  for (const char* weights : {"signed", "differential", "offset"}) {
    INFO(weights);
    const Settings settings{{"cells", std::string(weights)}, {"calibration_vectors", std::int64_t{2000}}};
    Session session = open(kIdeal + "800", 20, 10, settings);
    Layer layer(session, 20, 10, settings);
    layer.program(w);
    session.configure({{"output_noise", 1.0}});
    layer.calibrate();
    Matrix<float> x = uniform(2000, 20, 1.0f, 2), y(2000, 10);
    for (float& value : x.flat()) value = value < 0 ? -1.0f : 1.0f;
    layer.forward(x, y);
    const Matrix<double> wanted = product(x, layer.programmed());
    const Matrix<double> nothing(2000, 10);
    // two rms of 20 000 numbers, of which ten share a reference row's noise: 1 % (sd)
    CHECK(layer.calibration().residual == Approx(rms(y, wanted) / rms(wanted, nothing)).epsilon(0.05));
  }
}

TEST_CASE("a calibration that explains nothing is refused, one that explains little is told") {
  const Matrix<float> w = uniform(10, 20, 1.0f, 1);
  Session session = open(kIdeal + "800", 20, 10);
  Layer layer(session, 20, 10);
  layer.program(w);
  // sums of 20 products of uniform weights and signs far from the ends: their deviation is sqrt(20 / 3) = 2.6
  session.configure({{"output_noise", 2.6}});
  layer.calibrate();
  CHECK(layer.report().residual == layer.calibration().residual);
  CHECK(layer.report().residual == Approx(1).epsilon(0.15));
  LayerReport all;
  all.add(layer.report());
  all.add(LayerReport{});
  CHECK(all.residual > kLargeResidual);
  session.configure({{"output_noise", 90.0}});  // 35 times the signal, in 640 answers: a standard error of 1.4
  const double gain = layer.calibration().gain;
  CHECK_THROWS_WITH(layer.calibrate(), Catch::Contains("standard errors"));
  CHECK(layer.calibration().gain == gain);
  layer.program(w);
  CHECK(layer.report().residual == 0);
}

TEST_CASE("a layer does not answer with what somebody else has written into its device") {
  Registry registry;
  add_devices(registry);
  const auto session = open_session(registry, "sim:crossbar,preset=ideal,input.size=20,output.size=10");
  const Matrix<float> mine = uniform(10, 20, 1.0f, 1), others = uniform(10, 20, 1.0f, 2), x = uniform(5, 20, 1.0f, 3);
  Layer a(*session, 20, 10), b(*session, 20, 10);
  Matrix<float> y(5, 10), back(5, 20);
  CHECK(session->programme() == 0);
  a.program(mine);
  const auto state = session->snapshot();
  const std::uint64_t own = session->programme();
  CHECK(own != 0);
  a.forward(x, y);
  b.program(others);
  const std::int64_t frames = session->meter().frames;
  CHECK_THROWS_WITH(a.forward(x, y), Catch::Contains("another programme"));
  CHECK_THROWS_WITH(a.transposed(uniform(5, 10, 1.0f, 4), back), Catch::Contains("another programme"));
  CHECK_THROWS_WITH(a.calibrate(), Catch::Contains("another programme"));
  CHECK(session->meter().frames == frames);
  CHECK(a.programmed()(0, 0) == Approx(mine(0, 0)).margin(0.02));  // what it knows, it knows
  b.forward(x, y);
  session->restore(state);  // of mine: now it is b whose weights are gone
  CHECK(session->programme() == own);
  a.forward(x, y);
  CHECK(rms(y, product(x, mine)) < 0.1);
  CHECK_THROWS_WITH(b.forward(x, y), Catch::Contains("another programme"));
  session->reopen();  // brings its own programme
  a.forward(x, y);
  CHECK(rms(y, product(x, mine)) < 0.1);
  b.program(mine);  // the same weights are the same programme
  a.forward(x, y);
  auto older = session->snapshot();  // which did not say: taken for what was programmed first, as its contract is
  older[0] = std::byte{2};
  older.resize(older.size() - 64);  // nor had it a digest
  const std::size_t number = 1 + sizeof(std::uint64_t) + sizeof(Meter);
  older.erase(older.begin() + static_cast<std::ptrdiff_t>(number),
              older.begin() + static_cast<std::ptrdiff_t>(number + sizeof(std::uint64_t)));
  session->restore(older);
  a.forward(x, y);
}

TEST_CASE("pulses leave a layer its device, here and where snapshots bring it back") {
  Registry registry;
  add_devices(registry);
  Session session(registry.open("sim:crossbar,cell.kind=soft_bounds,input.size=20,output.size=10"), "sim:crossbar");
  const Settings settings{{"weight_limit", 1.0}};
  Layer layer(session, 20, 10, settings);
  const Matrix<float> w = uniform(10, 20, 0.5f, 1), x = uniform(5, 20, 1.0f, 3), dw = uniform(10, 20, 0.1f, 2);
  Matrix<float> y(5, 10), again(5, 10);
  layer.program(w);
  layer.update(dw);
  const auto device = session.snapshot(), state = layer.snapshot();
  layer.forward(x, y);
  Session fresh(registry.open("sim:crossbar,cell.kind=soft_bounds,input.size=20,output.size=10"), "sim:crossbar");
  Layer resumed(fresh, 20, 10, settings);
  resumed.program(dw);  // of other weights: the snapshots bring the cells and what they are
  fresh.restore(device);
  CHECK_THROWS_WITH(resumed.forward(x, again), Catch::Contains("another programme"));
  resumed.restore(state);
  resumed.forward(x, again);
  CHECK(std::ranges::equal(y.flat(), again.flat()));
  layer.update(dw);
  CHECK_NOTHROW(layer.forward(x, y));
}

TEST_CASE("transposed rows are charged the conversions they make: outputs shown, inputs read") {
  for (const char* model : {"sim:crossbar", "sim:homodyne", "sim:mzi_mesh", "sim:tt_rfnn"}) {
    INFO(model);
    Session session = open(model, 24, 4);
    Layer layer(session, 24, 4, {{"bound_management", std::string("none")}});
    layer.program(uniform(4, 24, 1, 1));
    layer.calibrate();  // or the first pass of a train of meshes would
    const LayerReport before = layer.report();
    Matrix<float> y(10, 24);
    layer.transposed(uniform(10, 4, 1, 2), y);
    const auto events = [&](const std::string& name) {
      double now = 0, then = 0;
      for (const EnergyPart& part : layer.report().energy.parts()) now += part.name == name ? part.events : 0;
      for (const EnergyPart& part : before.energy.parts()) then += part.name == name ? part.events : 0;
      return now - then;
    };
    CHECK(events("adc") == 240);
    CHECK(events(model == std::string("sim:homodyne") ? "inputs" : "dac") == 40);
    CHECK(layer.report().energy.joules() == Approx(layer.report().device_j).epsilon(1e-9));
  }
}

TEST_CASE("what a layer cannot do is refused by name") {
  Session mesh = open("sim:mzi_mesh", 1, 1);  // which has two channels at least
  CHECK_NOTHROW(Layer(mesh, 1, 1));
  CHECK_THROWS_AS(Layer(mesh, 1, 1, {{"weight_scale", std::string("row")}}), Unsupported);
  Session session = open("sim:crossbar,input.size=20,output.size=10", 20, 10);
  CHECK_THROWS_AS(Layer(session, 21, 10), ShapeMismatch);
  CHECK_THROWS_AS(Layer(session, 20, 10, {{"cells", std::string("offset")}}), ShapeMismatch);
  CHECK_THROWS_AS(Layer(session, 20, 10, {{"weight", 1.0}}), UnknownName);
  Layer layer(session, 20, 10, {{"weight_limit", 1.0}});
  Matrix<float> w(10, 20), x(1, 20), y(1, 10);
  CHECK_THROWS_AS(layer.forward(x, y), Error);
  w(1, 1) = 1.5f;
  CHECK_THROWS_AS(layer.program(w), OutOfRange);
  w(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(layer.program(w), InvalidParameter);
  CHECK(session.meter().programs == 0);
  w(1, 1) = 1;
  layer.program(w);
  CHECK_THROWS_AS(layer.program(Matrix<float>(20, 10)), ShapeMismatch);
  x(0, 3) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(layer.forward(x, y), InvalidParameter);
  CHECK_THROWS_AS(layer.forward(w, y), ShapeMismatch);
  CHECK(session.meter().frames == 0);
  Registry registry;
  add_devices(registry);
  Session opu(registry.open("sim:opu"));
  CHECK_THROWS_AS(Layer(opu, 2, 2), Unsupported);
  Session butterfly(registry.open("sim:mzi_mesh,mesh.layout=butterfly,input.size=8,output.size=8"));
  CHECK_THROWS_AS(Layer(butterfly, 8, 8), Unsupported);
  Session cells(registry.open("sim:crossbar,input.size=8,output.size=16"));
  CHECK_THROWS_AS(Layer(cells, 8, 8, {{"update", std::string("programme")}, {"cells", std::string("differential")}}),
                  Unsupported);
}

TEST_CASE("calibrating again takes out the drift of phase-change cells, per column a little better than as a whole") {
  const Matrix<float> w = uniform(32, 64, 1.0f, 1), x = uniform(200, 64, 1.0f, 2);
  const auto error = [&](const char* compensation, bool again) {
    Session session = open("sim:crossbar,preset=pcm,output_noise=0.01,adc.bits=12,ir_drop=0", 64, 32);
    Layer layer(session, 64, 32, {{"compensation", std::string(compensation)}, {"calibration_vectors", 1000.0}});
    layer.program(w);
    layer.calibrate();
    session.configure({{"clock_s", 30 * 86400.0}});
    if (again) layer.calibrate();
    Matrix<float> y(200, 32);
    layer.forward(x, y);
    return std::pair(rms(y, product(x, w)), layer.calibration().gain);
  };
  const auto [drifted, before] = error("global", false);
  const auto [global, after] = error("global", true);
  const auto [column, unused] = error("column", true);
  INFO("drifted " << drifted << ", global " << global << ", column " << column << ", gains " << before << " " << after);
  CHECK(after / before == Approx(.56).margin(0.04));  // 30 days at nu 0.049 and a little more for small weights
  CHECK(global < 0.4 * drifted);
  CHECK(column < global);
}

TEST_CASE("the same layer works on meshes of interferometers, in both directions") {
  const Matrix<float> w = uniform(7, 12, 2.0f, 1), x = uniform(40, 12, 3.0f, 2), g = uniform(40, 7, 1.0f, 3);
  Session perfect = open("sim:mzi_mesh,preset=ideal,dac.bits=14,adc.bits=16", 12, 7);
  Layer layer(perfect, 12, 7);
  Matrix<float> y(40, 7), back(40, 12);
  layer.program(w);
  layer.forward(x, y);
  layer.transposed(g, back);
  const Matrix<double> wanted = product(x, w), zero(40, 7);
  CHECK(rms(y, wanted) < 2e-3 * rms(y, zero));
  CHECK(rms(back, product(g, w, true)) < 2e-3 * rms(y, zero));
  // the default chip loses light, which calibration finds
  Session real = open("sim:mzi_mesh", 12, 7);
  Layer lossy(real, 12, 7);
  lossy.program(w);
  lossy.calibrate();
  CHECK(lossy.calibration().gain < 0.95);
  lossy.forward(x, y);
  CHECK(rms(y, wanted) < 0.1 * rms(y, zero));
}

}  // namespace lightloop
