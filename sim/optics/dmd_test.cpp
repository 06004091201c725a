#include "sim/optics/dmd.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "sim/optics/reference_arm.hpp"

using namespace lightloop;

TEST_CASE("inputs share the mirrors evenly and the rest is background") {
  Dmd dmd;
  dmd.off_contrast = 1e-4;
  DmdField field = format_dmd(dmd, 1000);
  CHECK(field.mirrors_per_input == 1039);
  CHECK(field.leak == Approx(0.01));
  CHECK(field.contrast == Approx(0.99));
  CHECK(field.background_power == Approx(1e-4 * 680.0 / 1039));
  CHECK(field.input_share == Approx(1039.0 / 1039680));
  dmd.padding_on = true;
  dmd.mirrors_per_input = 100;
  field = format_dmd(dmd, 1000);
  CHECK(field.background_power == Approx(9396.8));
  CHECK_THROWS_AS(format_dmd(dmd, 10397), OutOfRange);
  dmd.mirrors_per_input = 0;
  CHECK_THROWS_AS(format_dmd(dmd, 1039681), OutOfRange);
}

TEST_CASE("the reference has the asked power on every pixel and turns by exp(+i phase)") {
  const ReferenceArm arm(61, 0, 500, 3.0);
  const ReferenceField beam = arm.beam(0.5, 0, 0), jittered = arm.beam(0.5, 0.1, 4);
  for (std::size_t p = 0; p < 500; ++p)
    CHECK(double(beam.re[p] * beam.re[p] + beam.im[p] * beam.im[p]) == Approx(3).epsilon(1e-5));
  CHECK(double(beam.cos_phase) == Approx(std::cos(0.5)));
  CHECK(double(beam.sin_phase) == Approx(std::sin(0.5)));
  CHECK(jittered.cos_phase != beam.cos_phase);
  CHECK(jittered.cos_phase == arm.beam(0.5, 0.1, 4).cos_phase);
}
