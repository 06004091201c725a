#include "sim/detection/receiver.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "core/random.hpp"
#include "core/stats.hpp"

namespace lightloop {

TEST_CASE("a receiver rounds to codes, and counts what it clips at either end") {
  const Receiver receiver({.range = 2, .bits = 8});
  Index clipped = 0;
  CHECK(receiver.convert(1, 0, clipped) == 128);  // 127.5, ties to even
  CHECK(receiver.convert(2, 0, clipped) == 255);
  CHECK(clipped == 0);
  CHECK(receiver.convert(2.1, 0, clipped) == 255);
  CHECK(receiver.convert(-0.1, 0, clipped) == 0);
  CHECK(clipped == 2);
}

// Null: the sd of the codes is that of the noise and of rounding (1/12). Two-sided, alpha 1e-3, n 20000.
TEST_CASE("a signal-to-noise ratio of 40 dB is a noise of 1 % of the range") {
  const Receiver receiver({.range = 3, .noise_sd = noise_for_snr(3, 1e4), .bits = 12});
  std::vector<float> xi(20000), codes(20000);
  Stream(5, 0, Purpose::user).normal(0, 0, xi);
  Index clipped = 0;
  for (std::size_t i = 0; i < xi.size(); ++i) codes[i] = static_cast<float>(receiver.convert(1.5, xi[i], clipped));
  const double expected = 40.95 * 40.95 + 1. / 12;
  CHECK(std::abs(moments(codes).variance / expected - 1) < 3.29 * std::sqrt(2. / 20000));
  CHECK(clipped == 0);
}

TEST_CASE("the low-pass filter falls to half power at its bandwidth") {
  const double h = 1e-12, b = 10e9, keep = low_pass_keep(b, h);
  double y = 0, power = 0;
  for (int n = 0; n < 100000; ++n) {
    y = keep * y + (1 - keep) * std::sin(2 * std::numbers::pi * b * h * n);
    if (n >= 50000) power += 2 * y * y / 50000;
  }
  CHECK(power == Approx(0.5).epsilon(0.05));  // 6 % of a radian per step
  CHECK(low_pass_keep(0, h) == 0);
}

}  // namespace lightloop
