#pragma once
// A small ideal bench for the tests of this folder: |Hx|^2 on a grid of codes, every imperfection off unless asked for.
#include <cmath>
#include <complex>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "driver/api/device.hpp"

namespace lightloop::testing {

struct BenchSetup {
  Index inputs = 20, pixels = 256;
  int grains = 1;
  int bits = 16;
  double codes_per_unit = 100;  ///< code of |s|^2 = 1 at an exposure of 1 ms
  double black = 0;             ///< codes
  double noise = 0;             ///< codes, rms, per frame
  double background = 0;        ///< power of an always-on field
  double reference = -1;        ///< power of the reference arm; negative: the device has none
  bool exposure = true;         ///< has the setting camera.exposure
  std::uint64_t seed = 1;
};

class Bench : public Device {
 public:
  explicit Bench(const BenchSetup& setup)
      : setup_(setup), field_(setup.pixels * setup.grains, 2 * (setup.inputs + 2)), settings_("bench", params(setup)) {
    info_.kind = "projection";
    info_.model = "bench";
    info_.input = {{setup.inputs}, 1, "mirror state"};
    info_.output = {{setup.pixels}, setup.bits, "camera code"};
    if (setup.reference >= 0) info_.aux_inputs = {{"reference_phase", 8, 0, ""}, {"reference_shutter", 1, 0, ""}};
    info_.max_batch = 100;
    info_.deterministic = setup.noise == 0;
    info_.cost.frame_s = 1e-3;
    const Stream stream(setup.seed, 0, Purpose::transmission_matrix);
    for (Index g = 0; g < field_.rows(); ++g) stream.normal(static_cast<std::uint64_t>(g), 0, field_.row(g));
    for (float& v : field_.flat()) v *= std::numbers::sqrt2_v<float> / 2;
  }

  /// Entry of H for pixel p, grain g; the last two columns are background and reference (of unit power).
  std::complex<double> h(Index p, Index g, Index i) const {
    const Index row = p * setup_.grains + g;
    return {field_(row, 2 * i), field_(row, 2 * i + 1)};
  }
  std::complex<double> reference(Index p) const {
    const auto r = h(p, 0, setup_.inputs + 1);
    return std::sqrt(std::max(setup_.reference, 0.0)) * r / std::abs(r);
  }
  double exposure() const { return setup_.exposure ? settings_.real("camera.exposure") : 1e-3; }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return settings_; }
  void configure(const Settings& changes) override { settings_.set(changes); }
  void close() override {}

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_run(info_, in, out, options.pass);
    RunReport report;
    const Stream noise(setup_.seed, 0, Purpose::camera_read);
    const double highest = info_.output.highest();
    std::vector<float> z(static_cast<std::size_t>(setup_.pixels));
    for (Index f = 0; f < in.count; ++f) {
      noise.normal(options.first_frame_id + static_cast<std::uint64_t>(f), 0, z);
      for (Index p = 0; p < setup_.pixels; ++p) {
        std::complex<double> arm = 0;
        if (in.aux.cols() == 2 && in.aux(f, 1))
          arm = reference(p) * std::polar(1.0, in.aux(f, 0) * std::numbers::pi / 128);
        double light = 0;
        for (Index g = 0; g < setup_.grains; ++g) {
          std::complex<double> s = arm + std::sqrt(setup_.background) * h(p, g, setup_.inputs);
          for (Index i = 0; i < setup_.inputs; ++i)
            if (in.at(f, i)) s += h(p, g, i);
          light += std::norm(s) / setup_.grains;
        }
        const double code = std::round(setup_.codes_per_unit * exposure() / 1e-3 * light + setup_.black +
                                       setup_.noise * z[static_cast<std::size_t>(p)]);
        report.saturated += code > highest || code < 0;
        out.set(f, p, static_cast<std::uint32_t>(std::clamp(code, 0.0, highest)));
      }
    }
    report.frames = in.count;
    report.codes = in.count * setup_.pixels;
    report.device_s = info_.cost.seconds(in.count, 1);
    return report;
  }

 private:
  static std::vector<ParamInfo> params(const BenchSetup& setup) {
    if (!setup.exposure) return {};
    return {{"camera.exposure", "s", 1e-3, 1e-7, 10, "Exposure time"}};
  }

  BenchSetup setup_;
  Matrix<float> field_;
  ParamSet settings_;
  DeviceInfo info_;
};

}  // namespace lightloop::testing
