#include "sim/optics/speckle.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "core/stats.hpp"
#include "sim/media/transmission_matrix.hpp"

using namespace lightloop;

// Null of every test: the light behind a circular Gaussian medium. Two-sided, alpha 1e-4 (3.89 standard errors) each.
namespace {

constexpr double kAlpha = 1e-4, kZ = 3.89;
constexpr Index kInputs = 16, kPixels = 40000;

struct Speckle {
  std::vector<float> weights;
  Matrix<float> field, intensity;  // (1, planes), (1, pixels)
};

// All inputs on: mean intensity kInputs.
Speckle speckle(std::uint64_t seed, double grains) {
  Speckle s;
  s.weights = grain_weights(grains);
  const TransmissionMatrix h(seed, 0, kInputs, kPixels, static_cast<Index>(s.weights.size()));
  s.field = Matrix<float>(1, h.matrix().cols());
  for (Index j = 0; j < kInputs; ++j)
    for (Index i = 0; i < s.field.cols(); ++i) s.field(0, i) += h.matrix()(j, i);
  const Matrix<float> dark(1, s.field.cols());
  s.intensity = Matrix<float>(1, kPixels);
  pixel_intensity(s.weights, s.field.row(0), dark.row(0), 1.0f, {}, s.intensity.row(0));
  return s;
}

double power_sum(const std::vector<float>& weights, int n) {
  double sum = 0;
  for (const float w : weights) sum += std::pow(static_cast<double>(w), n);
  return sum;
}

}  // namespace

TEST_CASE("speckle intensity is exponential, with moments n!") {
  Speckle s = speckle(11, 1);
  const auto intensity = s.intensity.row(0);
  for (float& v : intensity) v /= kInputs;
  double factorial = 1, double_factorial = 1;  // n!, (2n)!
  for (int n = 1; n <= 4; ++n) {
    factorial *= n;
    double_factorial *= (2 * n - 1) * (2 * n);
    double mean = 0;
    for (const float v : intensity) mean += std::pow(static_cast<double>(v), n);
    mean /= kPixels;
    const double error = std::sqrt(double_factorial / (factorial * factorial) - 1) / std::sqrt(double(kPixels));
    INFO("moment " << n << ": " << mean);
    CHECK(std::abs(mean / factorial - 1) < kZ * error);
  }
  // the square root's law, Rayleigh, follows: the Kolmogorov distance is that of any monotone function
  const double d = ks_statistic(intensity, [](double x) { return 1 - std::exp(-x); });
  CHECK(ks_p_value(d, kPixels) > kAlpha);
  // a real matrix would give a chi-square law of one degree, which this test refuses
  std::vector<float> real(kPixels);
  for (Index p = 0; p < kPixels; ++p)
    real[static_cast<std::size_t>(p)] = s.field(0, p) * s.field(0, p) / (0.5f * kInputs);
  CHECK(ks_p_value(ks_statistic(real, [](double x) { return 1 - std::exp(-x); }), kPixels) < 1e-9);
}

TEST_CASE("a speckle field is circular: uniform phase, equal and uncorrelated quadratures of variance half") {
  const Speckle s = speckle(12, 1);
  std::vector<float> phase(kPixels);
  double rr = 0, ii = 0, ri = 0;
  for (Index p = 0; p < kPixels; ++p) {
    const double re = s.field(0, p), im = s.field(0, kPixels + p);
    phase[static_cast<std::size_t>(p)] = static_cast<float>(std::atan2(im, re));
    rr += re * re / (0.5 * kInputs);
    ii += im * im / (0.5 * kInputs);
    ri += re * im / (0.5 * kInputs);
  }
  CHECK(ks_p_value(ks_statistic(phase, [](double x) { return 0.5 + x / (2 * std::numbers::pi); }), kPixels) > kAlpha);
  const double root = std::sqrt(double(kPixels));
  CHECK(std::abs(rr / kPixels - 1) < kZ * std::sqrt(2.0) / root);
  CHECK(std::abs(ii / kPixels - 1) < kZ * std::sqrt(2.0) / root);
  CHECK(std::abs(ri / kPixels) < kZ / root);
}

TEST_CASE("contrast is 1/sqrt(M) for any mean number M of grains per pixel") {
  const double grains = GENERATE(1.0, 1.3, 2.0, 3.7, 4.0);
  const Speckle s = speckle(13, grains);
  CHECK(power_sum(s.weights, 1) == Approx(1));
  CHECK(power_sum(s.weights, 2) == Approx(1 / grains));
  const Moments m = moments(s.intensity.row(0));
  const double contrast = std::sqrt(m.variance) / m.mean, c2 = power_sum(s.weights, 2);
  // delta method: var(C)/C^2 = (excess + 2)/4n + C^2/n - C skew/n, cumulants (k-1)! sum w^k
  const double skew = 2 * power_sum(s.weights, 3) / std::pow(c2, 1.5);
  const double excess = 6 * power_sum(s.weights, 4) / (c2 * c2);
  const double error = std::sqrt(((excess + 2) / 4 + c2 - std::sqrt(c2) * skew) / kPixels);
  CHECK(std::abs(contrast * std::sqrt(grains) - 1) < kZ * error);
}

TEST_CASE("four whole grains give a Gamma law") {
  Speckle s = speckle(14, 4);
  const auto erlang = [](double x) {  // shape 4, mean 1
    const double t = 4 * x;
    return 1 - std::exp(-t) * (1 + t + t * t / 2 + t * t * t / 6);
  };
  for (float& v : s.intensity.row(0)) v /= kInputs;
  CHECK(ks_p_value(ks_statistic(s.intensity.row(0), erlang), kPixels) > kAlpha);
}

TEST_CASE("constant field, gain and reference add coherently on every grain") {
  const std::vector<float> weights = {0.75f, 0.25f};
  const Index pixels = 19;
  Matrix<float> field(1, 4 * pixels), constant(1, 4 * pixels), reference(2, pixels), light(1, pixels);
  for (Index i = 0; i < 4 * pixels; ++i) {
    field(0, i) = std::sin(static_cast<float>(i));
    constant(0, i) = std::cos(static_cast<float>(3 * i));
  }
  for (Index i = 0; i < 2 * pixels; ++i) reference.data()[i] = std::sin(static_cast<float>(7 * i));
  const double phase = 0.7;
  const ReferenceField beam{reference.row(0), reference.row(1), static_cast<float>(std::cos(phase)),
                            static_cast<float>(std::sin(phase))};
  pixel_intensity(weights, field.row(0), constant.row(0), 0.9f, beam, light.row(0));
  std::vector<double> expected(pixels);
  for (Index p = 0; p < pixels; ++p)
    for (Index g = 0; g < 2; ++g) {
      const auto at = [&](const Matrix<float>& m, Index plane) { return double(m(0, plane * pixels + p)); };
      const std::complex<double> s =
          std::complex<double>(at(constant, 2 * g), at(constant, 2 * g + 1)) +
          0.9 * std::complex<double>(at(field, 2 * g), at(field, 2 * g + 1)) +
          std::complex<double>(double(reference(0, p)), double(reference(1, p))) * std::polar(1.0, phase);
      expected[static_cast<std::size_t>(p)] += double(weights[static_cast<std::size_t>(g)]) * std::norm(s);
    }
  for (Index p = 0; p < pixels; ++p)
    CHECK(double(light(0, p)) == Approx(expected[static_cast<std::size_t>(p)]).epsilon(1e-5));
  // in place, over the first plane of the field
  Matrix<float> over = field;
  pixel_intensity(weights, over.row(0), constant.row(0), 0.9f, beam, over.row(0).first(pixels));
  for (Index p = 0; p < pixels; ++p) CHECK(over(0, p) == light(0, p));
}

TEST_CASE("jitter keeps the mean power and leaves a field correlation of 1 - jitter^2 between repeats") {
  const Speckle s = speckle(15, 1);
  const double jitter = 0.3;
  Matrix<float> constant(1, 2 * kPixels), one = s.field, two = s.field, z(1, 2 * kPixels);
  const Stream stream(15, 0, Purpose::user);
  stream.normal(0, 0, z.row(0));
  jitter_field(jitter, kInputs, constant.row(0), 1.0f, z.row(0), one.row(0));
  stream.normal(1, 0, z.row(0));
  jitter_field(jitter, kInputs, constant.row(0), 1.0f, z.row(0), two.row(0));
  const double n = 2 * kPixels, r = correlation(one.row(0), two.row(0)), expected = 1 - jitter * jitter;
  CHECK(std::abs(r - expected) < kZ * (1 - expected * expected) / std::sqrt(n));
  CHECK(std::abs(moments(one.row(0)).variance / (0.5 * kInputs) - 1) < kZ * std::sqrt(2 / n));
}

TEST_CASE("fewer than one grain per pixel is refused") { CHECK_THROWS_AS(grain_weights(0.9), OutOfRange); }
