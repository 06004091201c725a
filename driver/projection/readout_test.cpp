#include "driver/projection/readout.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"

using namespace lightloop;

TEST_CASE("phase steps recover z from |s + r exp(i theta)|^2 for every number of steps") {
  const std::complex<double> s(0.7, -1.3), r(2.1, 0.4);
  for (int steps = 3; steps <= 16; ++steps) {
    const auto shots = phase_shots(steps, 8);
    REQUIRE(shots.size() == static_cast<std::size_t>(steps));
    double re = 0, im = 0, sum_re = 0, sum_im = 0;
    for (const Shot& shot : shots) {
      const double theta = shot.phase * std::numbers::pi / 128;
      const double light = std::norm(s + r * std::polar(1.0, theta)) + 17;  // 17: any dark level
      re += shot.real * light;
      im += shot.imaginary * light;
      sum_re += shot.real;
      sum_im += shot.imaginary;
      CHECK(shot.reference);
    }
    const auto z = s * std::conj(r);
    CHECK(re == Approx(z.real()).margin(1e-5));
    CHECK(im == Approx(z.imag()).margin(1e-5));
    CHECK(std::abs(sum_re) < 1e-6);
    CHECK(std::abs(sum_im) < 1e-6);
  }
}

TEST_CASE("four phase steps have the coefficients 1/4, 0, -1/4, 0") {
  const auto shots = phase_shots(4, 8);
  const std::vector<float> re{0.25f, 0, -0.25f, 0}, im{0, 0.25f, 0, -0.25f};
  for (std::size_t n = 0; n < 4; ++n) {
    CHECK(shots[n].real == Approx(re[n]).margin(1e-7));
    CHECK(shots[n].imaginary == Approx(im[n]).margin(1e-7));
    CHECK(shots[n].phase == 64 * n);
  }
}

TEST_CASE("read-outs are read from their names") {
  CHECK(parse_readout("anchor").kind == Readout::Kind::anchor);
  CHECK(parse_readout("intensity").kind == Readout::Kind::intensity);
  CHECK(parse_readout("phase8").steps == 8);
  CHECK(parse_readout("phase8").parts() == 2);
  for (const char* text : {"phase", "phase2", "phase17", "phase4x", "anker", ""})
    CHECK_THROWS_AS(parse_readout(text), InvalidParameter);
}

TEST_CASE("anchor pixels kept are neither the darkest nor the brightest and beat every other window") {
  std::vector<float> anchor(2000);
  Stream(3, 0, Purpose::user).uniform(0, 0, anchor);
  for (float& v : anchor) v = -std::log(v);  // exponential, mean 1
  const double signal = 0.5;
  const auto kept = choose_pixels(anchor, 1000, signal);
  REQUIRE(kept.size() == 1000);
  CHECK(std::is_sorted(kept.begin(), kept.end()));
  const auto noise = [&](std::vector<float> v) {
    double inverse = 0, top = 0;
    for (const float x : v) inverse += 1 / static_cast<double>(std::max(x, 0.01f)), top = std::max<double>(top, x);
    return (1 + 2 * signal * inverse / static_cast<double>(v.size())) *
           std::pow(std::sqrt(top) + 3 * std::sqrt(signal), 2);
  };
  std::vector<float> chosen, sorted = anchor;
  for (const auto p : kept) chosen.push_back(anchor[p]);
  std::sort(sorted.begin(), sorted.end());
  CHECK(*std::min_element(chosen.begin(), chosen.end()) > sorted[100]);
  CHECK(*std::max_element(chosen.begin(), chosen.end()) < sorted[1990]);
  for (Index first = 0; first <= 1000; first += 50)
    CHECK(noise(chosen) <= noise({sorted.begin() + first, sorted.begin() + first + 1000}) * 1.02);
  CHECK(choose_pixels(anchor, 2000, signal).size() == 2000);
  CHECK_THROWS_AS(choose_pixels(anchor, 2001, signal), ShapeMismatch);
}
