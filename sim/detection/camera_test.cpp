#include "sim/detection/camera.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/random.hpp"
#include "core/stats.hpp"

using namespace lightloop;

// Two-sided tests, alpha 1e-4 each: 3.89 standard errors, or a p-value.
namespace {

constexpr double kAlpha = 1e-4, kZ = 3.89;

// One electron per photon/s of light for an exposure of a second: light is the mean number of electrons.
CameraModel plain(int bits, double gain) {
  CameraModel model;
  model.exposure_s = 1;
  model.full_well_e = 1e9;
  model.gain_e_per_code = gain;
  model.bits = bits;
  return model;
}

std::vector<std::uint16_t> expose(const Camera& camera, std::uint64_t frame, std::vector<float> light) {
  std::vector<std::uint16_t> codes(light.size());
  std::vector<float> scratch(light.size());
  camera.read(frame, 1.0, light, scratch, codes);
  return codes;
}

std::vector<float> codes_of(const Camera& camera, std::uint64_t frame, std::size_t pixels, float electrons) {
  const auto codes = expose(camera, frame, std::vector<float>(pixels, electrons));
  return {codes.begin(), codes.end()};
}

}  // namespace

TEST_CASE("the photon transfer curve has slope 1/K and intercept (read/K)^2 + 1/12") {
  const double read = GENERATE(3.0, 13.0);  // drawn apart from and together with the shot noise
  CameraModel model = plain(16, 2.0);
  model.read_noise_e = read;
  model.black_level = 200;
  const std::size_t pixels = 4000;
  const int frames = 40, levels = 10;
  const Camera camera(41, 0, model, static_cast<Index>(pixels));
  double chi = 0, w0 = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;  // sums of a straight-line fit, weights 1 / variance^2
  std::uint64_t id = 0;
  for (int level = 0; level < levels; ++level) {
    const double electrons = 60 * std::pow(1.8, level);
    std::vector<double> sum(pixels), squares(pixels);
    for (int f = 0; f < frames; ++f) {
      const auto codes = codes_of(camera, id++, pixels, static_cast<float>(electrons));
      for (std::size_t p = 0; p < pixels; ++p) {
        sum[p] += double(codes[p]);
        squares[p] += double(codes[p]) * double(codes[p]);
      }
    }
    double mean = 0, variance = 0;
    for (std::size_t p = 0; p < pixels; ++p) {
      mean += sum[p] / frames / double(pixels);
      variance += (squares[p] - sum[p] * sum[p] / frames) / (frames - 1) / double(pixels);
    }
    const double expected = (electrons + read * read) / 4 + 1.0 / 12;
    const double z = (variance / expected - 1) / std::sqrt(2.0 / ((frames - 1) * double(pixels)));
    CHECK(std::abs((mean - 200 - electrons / 2) / std::sqrt(expected / (frames * double(pixels)))) < kZ);
    chi += z * z;
    const double w = 1 / (expected * expected), x = mean - 200;
    w0 += w;
    wx += w * x;
    wy += w * variance;
    wxx += w * x * x;
    wxy += w * x * variance;
  }
  CHECK(chi_square_p_value(chi, levels) > kAlpha);  // every point on the theoretical line
  const double slope = (w0 * wxy - wx * wy) / (w0 * wxx - wx * wx);
  CHECK(slope == Approx(0.5).epsilon(0.01));
}

TEST_CASE("shot and read noise in one draw have the law of their sum") {
  CameraModel model = plain(16, 0.25);
  model.read_noise_e = 6;
  model.black_level = 1000;
  const std::size_t pixels = 60000;
  const Camera camera(42, 0, model, static_cast<Index>(pixels));
  const Stream stream(43, 0, Purpose::user), other(43, 1, Purpose::user);
  for (const float electrons : {0.5f, 8.0f, 60.0f, 900.0f}) {
    const std::vector<float> mean(pixels, electrons);
    std::vector<float> shot(pixels), read(pixels), sum(pixels);
    stream.poisson(static_cast<std::uint64_t>(electrons), 0, mean, shot);
    other.normal(static_cast<std::uint64_t>(electrons), 0, read);
    for (std::size_t p = 0; p < pixels; ++p) sum[p] = std::nearbyint((shot[p] + 6 * read[p]) * 4 + 1000);
    auto codes = codes_of(camera, static_cast<std::uint64_t>(electrons), pixels, electrons);
    const Moments m = moments(codes);
    INFO(electrons << " electrons");
    const double variance = double(electrons) + 36, n = double(pixels);
    CHECK(std::abs(m.skewness - double(electrons) / std::pow(variance, 1.5)) < kZ * std::sqrt(6 / n));
    CHECK(std::abs((m.mean - 1000) / 4 - double(electrons)) < kZ * std::sqrt(variance / n));
    CHECK(std::abs(m.variance / (16 * variance + 1.0 / 12) - 1) < kZ * std::sqrt(2 / n));
    CHECK(ks_p_value(ks_statistic(codes, sum), n / 2) > kAlpha);
  }
}

TEST_CASE("without read noise, codes at one electron per code are Poisson") {
  const std::size_t pixels = 50000;
  const Camera camera(44, 0, plain(16, 1.0), static_cast<Index>(pixels));
  const auto codes = codes_of(camera, 5, pixels, 3.5f);
  std::vector<double> observed(12), expected(12);
  for (const float c : codes) ++observed[std::min<std::size_t>(static_cast<std::size_t>(c), 11)];
  double term = std::exp(-3.5), rest = 1;
  for (std::size_t k = 0; k < 11; ++k) {
    expected[k] = double(pixels) * term;
    rest -= term;
    term *= 3.5 / double(k + 1);
  }
  expected[11] = double(pixels) * rest;
  CHECK(chi_square_p_value(chi_square(observed, expected), 11) > kAlpha);
}

TEST_CASE("exponential light saturates in the fraction exp(-(full scale - black) / mean)") {
  CameraModel model = plain(8, 1.0);
  model.shot_noise = false;
  model.black_level = 9;
  const std::size_t pixels = 100000;
  const Camera camera(45, 0, model, static_cast<Index>(pixels));
  std::vector<float> light(pixels), scratch(pixels);
  std::vector<std::uint8_t> codes(pixels);
  Stream(45, 0, Purpose::user).uniform(0, 0, light);
  for (float& v : light) v = -60 * std::log(v);
  const auto clipped = static_cast<double>(camera.read(0, 1.0, light, scratch, codes));
  const double share = std::exp(-(255.5 - 9) / 60);  // codes round up to 256 from 255.5 on
  const double expected = share * double(pixels);
  CHECK(std::abs(clipped - expected) < kZ * std::sqrt(expected * (1 - share)));
}

TEST_CASE("a full well limits the code and is counted") {
  CameraModel model = plain(12, 4.0);
  model.full_well_e = 8000;
  model.shot_noise = false;
  const Camera camera(46, 0, model, 3);
  std::vector<float> light = {7000, 8000, 9000}, scratch(3);
  std::vector<std::uint16_t> codes(3);
  CHECK(camera.read(0, 1.0, light, scratch, codes) == 1);
  CHECK(codes == std::vector<std::uint16_t>{1750, 2000, 2000});
}

TEST_CASE("averaging frames leaves the fixed pattern of PRNU and DSNU") {
  CameraModel model = plain(16, 1.0);
  model.prnu = 0.02;
  model.dsnu_e = 5;
  model.read_noise_e = 6;
  model.black_level = 100;
  const std::size_t pixels = 5000;
  const int frames = 50;
  const Camera camera(47, 0, model, static_cast<Index>(pixels));
  for (const double electrons : {100.0, 2000.0}) {
    std::vector<double> mean(pixels);
    for (int f = 0; f < frames; ++f) {
      const auto codes = codes_of(camera, static_cast<std::uint64_t>(f), pixels, static_cast<float>(electrons));
      for (std::size_t p = 0; p < pixels; ++p) mean[p] += double(codes[p]) / frames;
    }
    const double pattern = std::pow(0.02 * electrons, 2) + 25;
    const double expected = pattern + (electrons + 36 + 1.0 / 12) / frames;
    const double spread = moments(mean).variance / expected - 1;
    CHECK(std::abs(spread) < kZ * std::sqrt(2.0 / double(pixels)));
  }
}

TEST_CASE("row noise is common to a sensor row and fresh per frame") {
  CameraModel model = plain(16, 0.01);
  model.shot_noise = false;
  model.row_noise_e = 2;
  model.width = 10;
  model.black_level = 5000;
  const Camera camera(48, 0, model, 20000);
  const auto codes = codes_of(camera, 3, 20000, 100), again = codes_of(camera, 3, 20000, 100);
  CHECK(codes == again);
  CHECK(codes != codes_of(camera, 4, 20000, 100));
  std::vector<double> rows;
  for (std::size_t p = 0; p < 20000; p += 10) {
    for (std::size_t i = 1; i < 10; ++i) REQUIRE(codes[p + i] == codes[p]);
    rows.push_back((double(codes[p]) - 5000) / 100 - 100);
  }
  const Moments m = moments(rows);
  CHECK(std::abs(m.mean) < kZ * 2 / std::sqrt(2000.0));
  CHECK(std::abs(m.variance / 4 - 1) < kZ * std::sqrt(2 / 2000.0));
}

TEST_CASE("dark current adds electrons in proportion to the exposure") {
  CameraModel model = plain(16, 1.0);
  model.dark_current_e_per_s = 500;
  model.exposure_s = 0.5;
  const Camera camera(49, 0, model, 20000);
  const Moments m = moments(codes_of(camera, 0, 20000, 0));
  CHECK(std::abs(m.mean - 250) < kZ * std::sqrt(250 / 20000.0));
  std::vector<float> none(20000), expected(20000);
  camera.expect(none, expected);
  CHECK(expected[0] == Approx(250));
}
