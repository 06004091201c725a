#include <cmath>
#include <numeric>

#include "devices/opu/device.hpp"

namespace lightloop::opu {
namespace {

constexpr std::uint64_t kTestFrame = std::uint64_t{1} << 63;  // far from the ids of any run

double mean_code(const ConstFrames& frames, Index frame) {
  double sum = 0;
  for (Index p = 0; p < frames.size; ++p) sum += frames.at(frame, p);
  return sum / static_cast<double>(frames.size);
}

}  // namespace

// One frame with all mirrors of the input off, one with all on. No time passes.
SelfTest Opu::self_test() {
  check_open(open_);
  FrameBuffer in(info_.input, 2), out(info_.output, 2);
  for (Index j = 0; j < physics_.inputs; ++j) in.frames().set(1, j, 1);
  expose(std::as_const(in).frames(), out.frames(), kTestFrame, clock_ns_);
  const double dark = mean_code(std::as_const(out).frames(), 0), bright = mean_code(std::as_const(out).frames(), 1);

  Matrix<float> expected(1, physics_.pixels), none(1, medium_.constant.cols());
  pixel_intensity(physics_.grain_weights, none.row(0), medium_.constant.row(0), 0, {}, expected.row(0));
  const double photons = physics_.photons_per_s * physics_.laser.drift_gain(static_cast<double>(clock_ns_) * 1e-9);
  for (float& e : expected.row(0)) e *= static_cast<float>(photons);
  physics_.camera.expect(expected.row(0), expected.row(0));
  const double dark_expected =
      std::accumulate(expected.row(0).begin(), expected.row(0).end(), 0.0) / static_cast<double>(physics_.pixels);

  const bool dark_good = std::abs(dark - dark_expected) < 1 + 0.1 * dark_expected;
  const bool bright_good = bright > dark + 1;
  const std::string levels = "dark frame at code " + std::to_string(dark) + " (expected " +
                             std::to_string(dark_expected) + "), bright frame at " + std::to_string(bright);
  if (!dark_good) return {false, levels + ": look for stray light, camera.black_level and camera.exposure"};
  if (!bright_good) return {false, levels + ": too little light; raise laser.pixel_power or camera.exposure"};
  return {true, levels};
}

}  // namespace lightloop::opu
