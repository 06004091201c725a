#include "sim/media/transmission_matrix.hpp"

#define EIGEN_DONT_VECTORIZE  // small matrices; spares the warnings of GCC 12 about its own AVX-512 header
#include <Eigen/Dense>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/stats.hpp"
#include "core/threads.hpp"
#include "sim/media/binary_field.hpp"
#include "sim/media/medium_drift.hpp"
#include "sim/optics/speckle.hpp"

using namespace lightloop;

// Two-sided tests, alpha 1e-4 (3.89 standard errors) each, standard errors from the sample or from theory as said.
namespace {

constexpr double kZ = 3.89;

std::vector<float> intensity(const TransmissionMatrix& h, const std::vector<float>& weights,
                             const std::vector<std::uint8_t>& bits) {
  Matrix<float> field(1, h.matrix().cols());
  const Matrix<float> dark(1, h.matrix().cols());
  binary_field(h.matrix(), bits, field.row(0));
  std::vector<float> light(static_cast<std::size_t>(h.pixels()));
  pixel_intensity(weights, field.row(0), dark.row(0), 1.0f, {}, light);
  return light;
}

std::vector<std::uint8_t> ones(std::size_t n, std::size_t from, std::size_t to) {
  std::vector<std::uint8_t> bits(n, 0);
  std::fill(bits.begin() + static_cast<Index>(from), bits.begin() + static_cast<Index>(to), std::uint8_t{1});
  return bits;
}

// z of the mean of f(a_p, b_p) against `expected`, standard error from the sample.
template <class F>
double z_of_mean(const std::vector<float>& a, const std::vector<float>& b, double expected, F f) {
  std::vector<double> terms(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) terms[i] = f(double(a[i]), double(b[i]));
  const Moments m = moments(terms);
  return (m.mean - expected) / std::sqrt(m.variance / static_cast<double>(terms.size()));
}

// Singular values of H / sqrt(pixels), ascending.
std::vector<double> singular_values(std::uint64_t seed, Index inputs, Index pixels) {
  const TransmissionMatrix h(seed, 0, inputs, pixels, 1);
  Eigen::MatrixXcf dense(pixels, inputs);
  for (Index j = 0; j < inputs; ++j)
    for (Index p = 0; p < pixels; ++p) dense(p, j) = {h.matrix()(j, p), h.matrix()(j, pixels + p)};
  const Eigen::MatrixXcf gram = dense.adjoint() * dense / static_cast<float>(pixels);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXcf> solver(gram, Eigen::EigenvaluesOnly);
  std::vector<double> values;
  for (Index i = 0; i < inputs; ++i) values.push_back(std::sqrt(std::max(0.0, double(solver.eigenvalues()(i)))));
  return values;
}

}  // namespace

TEST_CASE("the intensity kernel is |x|^2 |y|^2 + <x,y>^2 / M") {
  const double grains = GENERATE(1.0, 1.3, 2.0, 4.0);
  const auto weights = grain_weights(grains);
  const Index pixels = 50000;
  const TransmissionMatrix h(21, 0, 12, pixels, static_cast<Index>(weights.size()));
  for (const std::size_t overlap : {0u, 3u, 6u}) {
    const auto x = intensity(h, weights, ones(12, 0, 6)),
               y = intensity(h, weights, ones(12, 6 - overlap, 12 - overlap));
    const double expected = 36 + static_cast<double>(overlap * overlap) / grains;
    INFO(grains << " grains, overlap " << overlap);
    CHECK(std::abs(z_of_mean(x, y, expected, [](double a, double b) { return a * b; })) < kZ);
  }
}

TEST_CASE("the kernel of the fourth power of the field follows its closed form") {
  const TransmissionMatrix h(22, 0, 8, 200000, 1);
  const double nx = 5, ny = 4, xy = 2;
  const auto x = intensity(h, {1.0f}, ones(8, 0, 5)), y = intensity(h, {1.0f}, ones(8, 3, 7));
  // (s!)^2 sum_i C(s,i)^2 <x,y>^2i (|x||y|)^2(s-i), s = 2
  const double expected = 4 * (nx * nx * ny * ny + 4 * xy * xy * nx * ny + xy * xy * xy * xy);
  CHECK(std::abs(z_of_mean(x, y, expected, [](double a, double b) { return a * a * b * b; })) < kZ);
}

TEST_CASE("singular values of the transmission matrix follow Marchenko and Pastur") {
  const Index inputs = 200, pixels = 400;
  const auto s = singular_values(23, inputs, pixels);
  const double ratio = 0.5, low = 1 - std::sqrt(ratio), high = 1 + std::sqrt(ratio);
  // extreme eigenvalues: Tracy-Widom law of unitary ensembles (mean -1.771, standard deviation 0.902), scale after
  // Johnstone 2001
  const double n = std::sqrt(double(inputs)), m = std::sqrt(double(pixels));
  const double high_scale = (m + n) * std::cbrt(1 / m + 1 / n) / double(pixels);
  const double low_scale = (m - n) * std::cbrt(1 / n - 1 / m) / double(pixels);
  CHECK(std::abs((s.back() * s.back() - high * high) / high_scale + 1.771) < kZ * 0.902);
  CHECK(std::abs((low * low - s.front() * s.front()) / low_scale + 1.771) < kZ * 0.902);
  // distribution function of eigenvalues l = s^2: density sqrt((b - l)(l - a)) / (2 pi ratio l)
  const double a = low * low, b = high * high;
  double cdf = 0, distance = 0;
  const int steps = 200000;
  std::size_t i = 0;
  for (int k = 0; k < steps; ++k) {
    const double l = a + (b - a) * (k + 0.5) / steps;
    cdf += std::sqrt((b - l) * (l - a)) / (2 * std::numbers::pi * ratio * l) * (b - a) / steps;
    for (; i < s.size() && s[i] * s[i] < l; ++i)
      distance = std::max(distance, std::abs((static_cast<double>(i) + 0.5) / static_cast<double>(inputs) - cdf));
  }
  CHECK(cdf == Approx(1).epsilon(1e-3));
  CHECK(distance < 0.01);  // eigenvalues repel: the distance is of order log(n)/n = 0.026, not 1/sqrt(n) = 0.07
}

TEST_CASE("a square transmission matrix has the quarter-circle law", "[law]") {
  const auto s = singular_values(24, 256, 256);
  double mean = 0;
  for (const double v : s) mean += v / 256;
  CHECK(std::abs(mean - 8 / (3 * std::numbers::pi)) < 0.005);  // linear statistics fluctuate as 1/n
  CHECK(s.back() < 2 + std::pow(256.0, -2.0 / 3));
}

TEST_CASE("entries depend on seed, pixel, grain and input alone") {
  const TransmissionMatrix small(31, 2, 5, 70, 1), large(31, 2, 9, 150, 3);
  for (Index j = 0; j < 5; ++j)
    for (Index p = 0; p < 70; ++p) {
      REQUIRE(small.matrix()(j, p) == large.matrix()(j, p));
      REQUIRE(small.matrix()(j, 70 + p) == large.matrix()(j, 150 + p));
    }
  for (Index p = 0; p < 70; ++p)
    REQUIRE(small.background()[static_cast<std::size_t>(p)] == large.background()[static_cast<std::size_t>(p)]);
  const int before = threads();
  set_threads(before == 1 ? 3 : 1);
  const TransmissionMatrix again(31, 2, 9, 150, 3);
  set_threads(before);
  CHECK(std::equal(again.entries().flat().begin(), again.entries().flat().end(), large.entries().flat().begin()));
  CHECK(TransmissionMatrix(31, 3, 5, 70, 1).matrix()(0, 0) != small.matrix()(0, 0));
  CHECK(TransmissionMatrix(32, 2, 5, 70, 1).matrix()(0, 0) != small.matrix()(0, 0));
}

TEST_CASE("a drifting medium stays circular Gaussian and its intensities decorrelate as rho^2") {
  const Index pixels = 40000;
  const MediumDrift drift{100.0, 0.05};
  TransmissionMatrix h(25, 0, 6, pixels, 1);
  const auto bits = ones(6, 0, 6);
  const auto start = intensity(h, {1.0f}, bits);
  std::uint64_t step = 0;
  // one step, several, and a jump: the law is the same
  for (const double time_s : {5.0, 10.0, 15.0, 40.0, 140.0}) {
    const auto now = drift.step_at(std::llround(time_s * 1e9 + 1));
    h.evolve(drift.correlation(now - step), now);
    step = now;
    const double rho = std::exp(-time_s / 100);
    const auto light = intensity(h, {1.0f}, bits);
    INFO("after " << time_s << " s");
    CHECK(std::abs(z_of_mean(start, light, rho * rho, [](double a, double b) { return (a / 6 - 1) * (b / 6 - 1); })) <
          kZ);
  }
  const Moments m = moments(h.entries().flat());
  CHECK(std::abs(m.variance / 0.5 - 1) < kZ * std::sqrt(2.0 / static_cast<double>(h.entries().size())));
}

TEST_CASE("drift moves on a grid of device time and never when its time is 0") {
  const MediumDrift drift{10.0, 1e-2};
  CHECK(drift.step_at(0) == 0);
  CHECK(drift.step_at(99'999'999) == 0);
  CHECK(drift.step_at(100'000'001) == 1);
  CHECK(drift.correlation(100) == Approx(std::exp(-1)));
  CHECK(MediumDrift{}.step_at(std::int64_t{1} << 60) == 0);
}

TEST_CASE("the field of a binary pattern is the sum of its columns, whatever the number of planes") {
  for (const Index pixels : {1, 31, 32, 100}) {
    const TransmissionMatrix h(26, 0, 10, pixels, 1);
    const std::vector<std::uint8_t> bits = {1, 0, 0, 1, 1, 0, 1, 0, 0, 1};
    Matrix<float> field(1, 2 * pixels);
    binary_field(h.matrix(), bits, field.row(0));
    for (Index i = 0; i < 2 * pixels; ++i) {
      double sum = 0;
      for (Index j = 0; j < 10; ++j) sum += bits[static_cast<std::size_t>(j)] * double(h.matrix()(j, i));
      CHECK(double(field(0, i)) == Approx(sum).margin(1e-6));
    }
  }
}
