#include "sim/optics/ring.hpp"

#include <catch2/catch.hpp>
#include <cmath>

namespace lightloop {

TEST_CASE("the slope of a ring's field is that of its transmission, and the published two numbers") {
  for (const double phi : {0.02, 0.1, 0.5, 2.0, 3.0}) {
    const double h = 1e-6;
    const double difference =
        (std::sqrt(all_pass_ring(.8, .9, phi + h)) - std::sqrt(all_pass_ring(.8, .9, phi - h))) / (2 * h);
    CHECK(all_pass_ring_slope(.8, .9, phi) == Approx(difference).epsilon(1e-6));
  }
  CHECK(all_pass_ring_slope(.8, .9, 0.1) == Approx(1.4973).margin(5e-5));
  CHECK(all_pass_ring_slope(.8, .9, 2.0) == Approx(.01015).margin(5e-6));
  CHECK(all_pass_ring(.9, .9, 0) == Approx(0).margin(1e-15));  // critically coupled
  CHECK(all_pass_ring_slope(.9, .9, 0) == 0);
}

TEST_CASE("a lossless add-drop ring passes on or drops everything, a lossy one never makes light") {
  for (double phi = -3; phi <= 3; phi += 0.1) {
    const auto whole = AddDropRing{.9, .95, 1}.split(phi), lossy = AddDropRing{.9, .95, .97}.split(phi);
    CHECK(whole.through + whole.drop == Approx(1).epsilon(1e-13));
    CHECK(lossy.through + lossy.drop < 1);
    CHECK(lossy.through > 0);
  }
  CHECK(AddDropRing{.9, .9, 1}.split(0).drop == Approx(1));
}

TEST_CASE("a weight bank's ring takes every weight it can reach, and the slope is that of the weight") {
  const AddDropRing ring{.9755, .97, .996};
  for (double w = -0.99; w < ring.weight(0); w += 0.05) {
    const double phi = ring.phase_of_weight(w);
    CHECK(ring.weight(phi) == Approx(w).margin(1e-12));
    CHECK(ring.weight_slope(phi) == Approx((ring.weight(phi + 1e-6) - ring.weight(phi - 1e-6)) / 2e-6).epsilon(1e-5));
  }
  CHECK(ring.phase_of_weight(0.99) == 0);
  CHECK(ring.phase_of_weight(-1) == Approx(std::numbers::pi));
}

TEST_CASE("the drop port falls to half over a finesse-th of the free spectral range") {
  const AddDropRing ring{.99, .99, .998};
  const double half = std::numbers::pi / ring.finesse();
  CHECK(ring.split(half).drop / ring.split(0).drop == Approx(0.5).epsilon(1e-3));  // sin x = x: 1.3e-4 here
}

TEST_CASE("light stays in a ring as long as its drop's phase says") {
  const AddDropRing ring{.98, .97, .995};
  const double round = ring.r1 * ring.r2 * ring.a, h = 1e-5;
  const auto phase = [&](double phi) {
    return phi / 2 - std::atan2(-round * std::sin(phi), 1 - round * std::cos(phi));
  };
  CHECK(ring.drop_delay() == Approx((phase(h) - phase(-h)) / (2 * h)).epsilon(1e-6));  // d arg / d phi, in rounds
}

TEST_CASE("the measured rings: 2.16 nm between resonances and a finesse near 59 at 100 um radius, 1 um gap") {
  const double radius = 100e-6, length = 2 * std::numbers::pi * radius;
  CHECK(free_spectral_range_m(1550e-9, MeasuredRings::kGroupIndex, length) == Approx(2.16e-9).epsilon(2e-3));
  const double r = measured_self_coupling(radius, 1e-6);
  CHECK(r == Approx(std::cos(std::exp(-1.506))).margin(5e-4));  // that ring itself
  const double a = std::pow(10.0, -MeasuredRings::kLossDbPerCm * length * 100 / 20);
  CHECK(AddDropRing{r, r, a}.finesse() == Approx(59).epsilon(0.03));
}

TEST_CASE("rings parked half way between channels leave weight -1 up to as many channels as are called resolved") {
  const AddDropRing ring{.996, .996, 1};
  const double finesse = ring.finesse();
  const auto parked = [&](Index channels) {  // what one of the channels sees of all rings of its bus
    double drop = 0, through = 1;
    for (Index k = 0; k < channels; ++k) {
      const double phi = (2 * static_cast<double>(k) + 1) * std::numbers::pi / static_cast<double>(channels);
      drop += through * ring.split(phi).drop;
      through *= ring.split(phi).through;
    }
    return drop - through;
  };
  for (const double range : {0.5, 0.75, 0.9}) {
    const auto most = static_cast<Index>(resolved_channels(finesse, range));
    INFO(most << " channels at a range of " << range);
    CHECK(most > 20);
    CHECK(parked(most) <= -range);
    CHECK(parked(most + 1) > -range);
  }
}

}  // namespace lightloop
