#include "devices/ring_bank/params.hpp"

#include "devices/detector.hpp"
#include "devices/front_end.hpp"
#include "devices/param_list.hpp"
#include "sim/optics/ring.hpp"

namespace lightloop::ring_bank {
namespace {
Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }
}  // namespace

std::vector<ParamInfo> params() {
  using M = MeasuredRings;
  const std::vector<ParamInfo> size{
      {"input.size", "1", whole(16), 1, 1024, "wavelengths times buses: DAC codes per frame", {}, true},
      {"output.size", "1", whole(16), 1, 1024, "banks: ADC codes per frame", {}, true},
      {"channels",
       "1",
       whole(8),
       1,
       128,
       "wavelengths on one bus, over one free spectral range; at most the rings' finesse",
       {},
       true},
  };
  const std::vector<ParamInfo> bank{
      {"weight.bits", "1", whole(10), 2, 16, "bits of a programme code", {}, true, whole(16)},
      {"weight_range", "1", 0.75, 0.05, 0.99, "drop less through that stands for weight 1", {}, true},
      {"ring.radius_m", "m", 100e-6, 1e-6, 1e-3, "radius of the rings", {}, true},
      {"ring.gap_m", "m", 1e-6, 0, 3e-6, "gap of both couplers, where ring.self_coupling is 0", {}, true},
      {"ring.self_coupling", "1", 0.0, 0, 0.9999, "field a coupler passes; 0: that of the measured rings", {}, true},
      {"ring.loss_db_cm", "1", M::kLossDbPerCm, 0, 100, "loss along the ring in dB per cm", {}, true},
      {"ring.index_spread", "1", M::kIndexSpread, 0, 0.1, "sd of the effective index, ring to ring", {}, true, 0.0},
      {"ring.coupling_spread", "1", M::kCouplingSpread, 0, 0.5, "relative sd of a coupling angle", {}, true, 0.0},
      {"ring.loss_spread", "1", M::kLossSpread, 0, 0.3, "relative sd of the loss", {}, true, 0.0},
      {"wavelength_m", "m", 1550e-9, 400e-9, 5e-6, "middle of the channels", {}, true},
      {"heater.bits", "1", whole(16), 4, 24, "bits of a heater's DAC", {}, true, whole(24)},
      {"heater.range_rad", "rad", 7.0, 6.3, 30, "phase at a heater's highest code", {}, true},
      {"crosstalk", "1", 0.01, 0, 0.1, "part of a heater's phase that reaches each neighbour", {}, true, 0.0},
      {"control.method",
       "",
       text("pid"),
       0,
       0,
       "what the controller knows: the nominal ring, each resonance, or each weight",
       {"model", "swept", "pid"},
       true},
      {"control.steps", "1", whole(30), 0, 1000, "measured rounds of all weights", {}, true},
      {"control.ki", "1", 0.5, 0, 2, "integral gain of a round", {}, true},
      {"control.kp", "1", 0.1, -2, 2, "proportional gain of a round", {}, true},
      {"control.kd", "1", 0.0, -2, 2, "differential gain of a round", {}, true},
      {"control.tracking",
       "",
       text("dither"),
       0,
       0,
       "whether the temperature is taken out while frames run",
       {"none", "dither"},
       true},
      {"sweep_error", "rad", 0.005, 0, 1, "sd of a resonance's phase as the sweep finds it", {}, true, 0.0},
      {"monitor_noise",
       "1",
       0.002,
       0,
       1,
       "sd of a weight as the controller measures it, weight range 1",
       {},
       true,
       0.0},
      {"dither.period_s", "s", 1e-3, 1e-9, 1e6, "time between two corrections", {}, true},
      {"dither.error_rad",
       "rad",
       5e-5,
       0,
       1,
       "sd of a ring's phase after a correction",
       {},
       true,
       0.0,
       "control.tracking=dither"},
      {"temperature.sd_k", "K", 2e-3, 0, 100, "sd of the chip's temperature", {}, true, 0.0},
      {"temperature.time_s", "s", 10.0, 1e-6, 1e9, "its correlation time", {}, true},
      {"phase_per_k", "rad/K", 0.058, 0, 10, "of a ring: 2 pi over the free spectral range in K", {}, true},
      {"power_w", "W", 1e-3, 1e-12, 1, "power of a channel at full drive, at every bank"},
      {"symbol_rate_hz", "Hz", 1e9, 1, 1e12, "frames per second, at most the rings' linewidth"},
  };
  const DetectorDefaults detector{.rin_hz = 1e-15, .dark_only_with = "detector.shot=true"};
  const std::vector<ParamInfo> own{
      {"detector.shot", "", true, 0, 0, "shot noise of light and dark current", {}, false, false},
      {"clock_s", "s", 0.0, 0, 1e9, "time of the device's clock when it was last set; it never goes back"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
  return param_list({size, front_end_params({.range = 4}), bank, detector_params(detector), own});
}

std::map<std::string, Settings> presets() {
  const Settings quiet{{"detector.shot", false},      {"detector.dark_a", 0.0},  {"detector.load_ohm", 0.0},
                       {"laser.rin_hz", 0.0},         {"monitor_noise", 0.0},    {"temperature.sd_k", 0.0},
                       {"dither.error_rad", 0.0},     {"sweep_error", 0.0},      {"ring.index_spread", 0.0},
                       {"ring.coupling_spread", 0.0}, {"ring.loss_spread", 0.0}, {"crosstalk", 0.0},
                       {"heater.bits", whole(24)},    {"weight.bits", whole(16)}};
  return {
      {"ideal", quiet},
      {"swept", {{"control.method", text("swept")}}},
      {"free", {{"control.tracking", text("none")}}},
  };
}

}  // namespace lightloop::ring_bank
