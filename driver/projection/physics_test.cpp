// The numbers a projection returns, against theory.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/stats.hpp"
#include "driver/projection/bench_for_tests.hpp"
#include "driver/projection/projection.hpp"

using namespace lightloop;
using testing::Bench;
using testing::BenchSetup;

namespace {

struct Setup {
  Setup(const BenchSetup& bench_setup, Index n_in, Index n_out, const Settings& settings)
      : bench(new Bench(bench_setup)),
        session(std::unique_ptr<Device>(bench)),
        projection(session, n_in, n_out, settings) {}
  Matrix<float> linear(const Matrix<float>& x) {
    Matrix<float> y(x.rows(), projection.outputs());
    projection.linear(x, y);
    return y;
  }
  Bench* bench;
  Session session;
  Projection projection;
};

Matrix<float> identity(Index n) {
  Matrix<float> x(n, n);
  for (Index i = 0; i < n; ++i) x(i, i) = 1;
  return x;
}

// Rows with 1 to 4 entries of +-1 in 10, like ternary errors of a classifier.
Matrix<float> errors(Index rows) {
  Matrix<float> x(rows, 10);
  const Stream stream(4, 0, Purpose::user);
  std::vector<std::uint32_t> order(10);
  for (Index r = 0; r < rows; ++r) {
    stream.permutation(static_cast<std::uint64_t>(r), order);
    for (Index k = 0; k <= r % 4; ++k) x(r, order[static_cast<std::size_t>(k)]) = k % 2 ? 1.0f : -1.0f;
  }
  return x;
}

// sum_i x_i B e_i, from the rows B e_i.
Matrix<float> combine(const Matrix<float>& x, const Matrix<float>& columns) {
  Matrix<float> y(x.rows(), columns.cols());
  for (Index r = 0; r < x.rows(); ++r)
    for (Index i = 0; i < x.cols(); ++i)
      for (Index j = 0; j < y.cols(); ++j) y(r, j) += x(r, i) * columns(i, j);
  return y;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) aa += a[i] * a[i], bb += b[i] * b[i], ab += a[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

// Phase stepping: output p is sqrt(2) Re(h_p conj(r) / |r|), output p + pixels the imaginary part.
Matrix<float> exact_phase(const Bench& bench, Index n, Index pixels) {
  Matrix<float> b(n, 2 * pixels);
  for (Index i = 0; i < n; ++i)
    for (Index p = 0; p < pixels; ++p) {
      const auto r = bench.reference(p);
      const auto z = std::sqrt(2.0) * bench.h(p, 0, i) * std::conj(r) / std::abs(r);
      b(i, p) = static_cast<float>(z.real());
      b(i, p + pixels) = static_cast<float>(z.imag());
    }
  return b;
}

}  // namespace

TEST_CASE("on an ideal bench the map is linear up to rounding") {
  // 16 bits, exposure full scale: rounding is below 1e-4 of the signal. Bound: 4 frames of at most half a code per row
  // on one side, as much per unit vector on the other, at the darkest pixel kept.
  for (const char* readout : {"anchor", "phase4", "phase5"}) {
    Setup s({.inputs = 20, .pixels = 512, .reference = 25}, 10, 256, {{"readout", std::string(readout)}});
    const auto x = errors(32);
    const auto y = s.linear(x), z = combine(x, s.linear(identity(10)));
    double worst = 0;
    for (Index k = 0; k < y.size(); ++k) worst = std::max<double>(worst, std::abs(y.flat()[k] - z.flat()[k]));
    CHECK(worst < 0.02);
    CHECK(cosine(y.flat(), z.flat()) > 0.99999);
  }
}

TEST_CASE("phase stepping returns sqrt 2 times real and imaginary part of H x") {
  const BenchSetup setup{.inputs = 10, .pixels = 256, .black = 30, .background = 3, .reference = 25};
  Setup s(setup, 10, 512, {{"readout", std::string("phase4")}});
  const auto exact = exact_phase(*s.bench, 10, 256);
  const auto measured = s.linear(identity(10));
  CHECK(cosine(measured.flat(), exact.flat()) > 0.9999);
  // The scale is normalised on the matrix drawn; relative error of its measured power: variance at most 0.6 / 512.
  double ratio = 0;
  for (const float v : measured.flat()) ratio += v * v;
  double power = 0;
  for (const float v : exact.flat()) power += v * v;
  CHECK(std::abs(ratio / power - 1) < 4 * std::sqrt(0.6 / 512));
}

TEST_CASE("the anchor returns 2 Re(conj(Hr) H x) / |Hr|, background and black level removed") {
  const BenchSetup setup{.inputs = 20, .pixels = 256, .black = 30, .background = 0.5};
  Setup s(setup, 10, 256, {{"oversampling", 1.0}});
  const auto measured = s.linear(identity(10));
  int good = 0;
  for (Index p = 0; p < 256; ++p) {
    std::complex<double> r = 0;
    for (Index i = 10; i < 15; ++i) r += s.bench->h(p, 0, i);
    std::vector<float> exact(10), row(10);
    for (Index i = 0; i < 10; ++i) {
      exact[static_cast<std::size_t>(i)] = static_cast<float>((s.bench->h(p, 0, i) * std::conj(r)).real());
      row[static_cast<std::size_t>(i)] = measured(i, p);
    }
    good += cosine(exact, row) > 0.999;
  }
  CHECK(good >= 250);  // a pixel on which the anchor is dark may be lost: P(|Hr|^2 < 0.001 of its mean) = 1e-3
}

TEST_CASE("entries are Gaussian, of variance one and uncorrelated, for every read-out and number of grains", "[law]") {
  // Null: iid N(0, 1). n = 10 x 512 entries, seed 1. Variance: sampling 2/5120 plus the scale's own 0.6/512; two-sided,
  // 4 standard errors. KS: alpha = 0.001. Correlation of columns over 512 outputs: 45 pairs, each below 4 / sqrt(512).
  struct Case {
    const char* readout;
    int grains;
  };
  for (const Case& c : {Case{"anchor", 1}, Case{"anchor", 3}, Case{"phase4", 1}, Case{"phase3", 2}}) {
    INFO(c.readout << ", " << c.grains << " grains");
    Setup s({.inputs = 20, .pixels = 1024, .grains = c.grains, .reference = 25}, 10, 512,
            {{"readout", std::string(c.readout)}});
    auto columns = s.linear(identity(10));
    const Moments m = moments(columns.flat());
    CHECK(std::abs(m.mean) < 4 / std::sqrt(5120.0));
    CHECK(std::abs(m.variance - 1) < 4 * std::sqrt(2.0 / 5120 + 0.6 / 512));
    CHECK(std::abs(m.kurtosis) < 4 * std::sqrt(24.0 / 5120));
    double worst = 0;
    for (Index i = 0; i < 10; ++i)
      for (Index k = 0; k < i; ++k) worst = std::max(worst, std::abs(correlation(columns.row(i), columns.row(k))));
    CHECK(worst < 4 / std::sqrt(512.0));
    const double sd = std::sqrt(m.variance);
    CHECK(ks_p_value(ks_statistic(columns.flat(), [&](double v) { return normal_cdf(v / sd); }), 5120) > 1e-3);
  }
}

TEST_CASE("real and imaginary parts of one pixel are independent") {
  Setup s({.inputs = 10, .pixels = 512, .reference = 25}, 10, 1024, {{"readout", std::string("phase4")}});
  const auto y = s.linear(identity(10));
  // n = 10 x 512 pairs; |correlation| below 4 / sqrt(n), also of the squares.
  std::vector<float> re, im, re2, im2;
  for (Index i = 0; i < 10; ++i)
    for (Index p = 0; p < 512; ++p) {
      re.push_back(y(i, p)), im.push_back(y(i, p + 512));
      re2.push_back(re.back() * re.back()), im2.push_back(im.back() * im.back());
    }
  CHECK(std::abs(correlation(re, im)) < 4 / std::sqrt(5120.0));
  CHECK(std::abs(correlation(re2, im2)) < 4 / std::sqrt(5120.0));
}

TEST_CASE("camera noise lowers the fidelity of phase stepping as theory says") {
  // Output noise per pattern: v / (N u^2 P) with v = sigma^2 + 1/12 codes^2, u codes per |s|^2, P the reference's
  // power.
  const BenchSetup setup{.inputs = 10, .pixels = 256, .bits = 12, .noise = 30, .reference = 25};
  for (const int steps : {4, 8}) {
    Setup s(setup, 10, 512, {{"readout", "phase" + std::to_string(steps)}, {"gain", 1.0}});
    const auto x = errors(400);
    const auto y = s.linear(x), exact = combine(x, exact_phase(*s.bench, 10, 256));
    const double u = setup.codes_per_unit * s.projection.report().exposure_s / 1e-3;
    const double noise = (30 * 30 + 1.0 / 12) / (steps * u * u * setup.reference);
    // gain = 1 leaves the read-out at Re z / |r| in codes^(1/2): sqrt(u / 2) times the exact value.
    double sum = 0, expected = 0;
    for (Index r = 0; r < x.rows(); ++r) {
      const double patterns = r % 4 == 0 ? 1 : 2;
      expected += patterns * noise;
      for (Index j = 0; j < 512; ++j) sum += std::pow(y(r, j) / std::sqrt(u / 2) - exact(r, j), 2) / 512;
    }
    // n = 400 x 512 squares, relative standard error sqrt(2 / n) = 0.3 %, plus offset and |r| noise of the calibration
    // (64 and 32 exposures): 5 %.
    CHECK(sum / expected == Approx(1).epsilon(0.05));
  }
}

TEST_CASE("anchor and phase stepping agree with each other's scale") {
  double power[2] = {};
  int k = 0;
  for (const char* readout : {"anchor", "phase4"}) {
    Setup s({.inputs = 20, .pixels = 1024, .reference = 25}, 10, 512, {{"readout", std::string(readout)}});
    const auto y = s.linear(errors(64));
    for (const float v : y.flat()) power[k] += v * v;
    ++k;
  }
  CHECK(power[0] / power[1] == Approx(1).epsilon(4 * std::sqrt(2 * (2.0 / 5120 + 0.6 / 512))));
}

TEST_CASE("bit planes project real vectors: error is the code's rounding") {
  Setup s({.inputs = 20, .pixels = 512}, 10, 256, {{"encoding", std::string("bitplanes:6")}});
  Matrix<float> x(20, 10);
  Stream(2, 0, Purpose::user).normal(0, 0, x.flat());
  const auto y = s.linear(x), z = combine(x, s.linear(identity(10)));
  CHECK(cosine(y.flat(), z.flat()) > 0.999);
}

TEST_CASE("threshold encoding needs the offset and gets it right") {
  Setup s({.inputs = 20, .pixels = 512, .black = 100, .background = 1}, 10, 256,
          {{"encoding", std::string("threshold")}});
  Matrix<float> x(1, 10);
  for (Index i = 0; i < 6; ++i) x(0, i) = 1;
  CHECK(cosine(s.linear(x).flat(), combine(x, s.linear(identity(10))).flat()) > 0.999);
}

TEST_CASE("exposure fills the range: clipping at its target, speckle at full scale over mean of 11.2") {
  const BenchSetup setup{.inputs = 20, .pixels = 1024, .bits = 8, .codes_per_unit = 1000, .black = 9, .reference = 25};
  Matrix<float> x(200, 10);  // 5 of 10 on, as calibrated for
  std::vector<std::uint32_t> order(10);
  for (Index r = 0; r < 200; ++r) {
    Stream(8, 0, Purpose::user).permutation(static_cast<std::uint64_t>(r), order);
    for (Index i = 0; i < 10; ++i) x(r, i) = order[static_cast<std::size_t>(i)] < 5;
  }
  SECTION("phase stepping") {
    Setup s(setup, 10, 2048, {{"readout", std::string("phase4")}});
    s.projection.calibrate();
    CHECK(s.projection.report().saturation <= 1e-4);
    CHECK(s.projection.report().warnings.empty());
    const Meter before = s.session.meter();
    s.linear(x);
    const Meter after = s.session.meter();
    // n = 800 x 1024 codes, dependent in fours; calibrated on 65536. Between a tenth of the target and three times it.
    const double clipped =
        static_cast<double>(after.saturated - before.saturated) / static_cast<double>(after.codes - before.codes);
    CHECK(clipped < 3e-4);
    CHECK(clipped > 1e-5);
  }
  SECTION("anchor: on the pixels kept") {
    Setup s(setup, 10, 512, {});
    s.projection.calibrate();
    CHECK(s.projection.report().saturation <= 1e-4);
    CHECK(s.projection.report().saturation > 0);
  }
  SECTION("intensity") {
    Setup s(setup, 20, 1024, {{"readout", std::string("intensity")}});
    s.projection.calibrate();
    // Search to 3 %, mean of 8 patterns of exponential speckle on 1024 pixels, overlapping: 2 %.
    CHECK(s.projection.report().signal_code == Approx((255 - 9) / 11.2).epsilon(0.1));
    CHECK(s.projection.report().dark_code == Approx(9).epsilon(0.01));
  }
  SECTION("a fixed exposure is kept") {
    Setup s(setup, 10, 512, {{"exposure", 2e-6}});
    s.linear(x);
    CHECK(s.bench->exposure() == 2e-6);
    CHECK(s.projection.report().exposure_s == 2e-6);
  }
  SECTION("a device without the setting keeps its exposure and says so") {
    BenchSetup fixed = setup;
    fixed.exposure = false;
    fixed.codes_per_unit = 1;
    Setup s(fixed, 10, 512, {});
    s.projection.calibrate();
    REQUIRE(s.projection.report().warnings.size() == 1);
    CHECK_THAT(s.projection.report().warnings.front(), Catch::Contains("camera.exposure"));
    CHECK_THROWS_AS(Setup(fixed, 10, 512, {{"exposure", 1e-3}}).projection.calibrate(), Unsupported);
  }
}

TEST_CASE("intensities have unit scale, exponential law and the kernel |x|^2 |y|^2 + <x,y>^2") {
  Setup s({.inputs = 20, .pixels = 2048, .black = 50}, 20, 2048, {{"readout", std::string("intensity")}});
  Matrix<float> x(3, 20), y(3, 2048);
  for (Index i = 0; i < 10; ++i) x(0, i) = 1, x(1, i + 5) = 1;  // overlap 5; the third row is empty
  s.projection.intensity(x, y);
  const double m0 = moments(y.row(0)).mean, m1 = moments(y.row(1)).mean;
  // Exponential: standard error of the mean 1/sqrt(2048), and the scale's own of the same size: 4 of both.
  CHECK(m0 / 10 == Approx(1).epsilon(4 * std::sqrt(2.0 / 2048)));
  CHECK(m1 / 10 == Approx(1).epsilon(4 * std::sqrt(2.0 / 2048)));
  double product = 0;
  for (Index j = 0; j < 2048; ++j) product += y(0, j) * y(1, j) / 2048;
  CHECK(product / 125 == Approx(1).epsilon(4 * 2.24 / std::sqrt(2048.0)));
  for (const float v : y.row(2)) CHECK(v == 0);
  CHECK(ks_p_value(ks_statistic(y.row(0), [&](double v) { return 1 - std::exp(-std::max(v, 0.0) / m0); }), 2048) >
        1e-3);
}
