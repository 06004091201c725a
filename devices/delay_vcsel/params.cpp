#include "devices/delay_vcsel/params.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr double kLightM_S = 299792458;  // exact by definition of the SI

Value whole(std::int64_t value) { return value; }

/// `name` in whole steps; throws when it is not a whole number of them.
Index in_steps(const ParamSet& params, const std::string& name) {
  const double step_s = params.real("step_s"), ratio = params.real(name) / step_s;
  const Index count = std::llround(ratio);
  if (count < 1 || std::abs(ratio - static_cast<double>(count)) > 1e-6 * ratio)
    throw InvalidParameter("sim:delay_vcsel: " + name, format_quantity(params.real(name), "s"),
                           "a whole number of steps of " + format_quantity(step_s, "s"),
                           "Change " + name + " or step_s.");
  return count;
}

double pump_of(const ParamSet& params) {
  const double bias_a = params.real("laser.bias_a");
  if (bias_a == 0) return params.real("laser.pump");
  const double threshold_a = params.real("laser.threshold_a"), slope = params.real("laser.pump_slope");
  const double pump = 1 + slope * (bias_a / threshold_a - 1);
  if (pump < 0)
    throw OutOfRange("sim:delay_vcsel: laser.bias_a makes a negative pump", format_quantity(bias_a, "A"),
                     "at least " + format_quantity(threshold_a * (1 - 1 / slope), "A"),
                     "Raise the bias, or set laser.pump instead.");
  return pump;
}

double detuning_of(const ParamSet& params) {
  const double injected_m = params.real("injection.wavelength_m"), own_m = params.real("laser.wavelength_m");
  return params.real("injection.detuning_hz") + (injected_m == own_m ? 0 : kLightM_S / injected_m - kLightM_S / own_m);
}

}  // namespace

std::vector<ParamInfo> params() {
  return {
      {"input.size", "1", whole(50), 1, 65536, "drive samples per frame (virtual nodes)", {}, true},
      {"sample_s", "s", 20e-12, 1e-13, 1e-6, "how long one drive sample is held", {}, true},
      {"step_s", "s", 1e-12, 1e-15, 1e-10, "integration step of the laser equations", {}, true},
      {"precision", "", std::string("double"), 0, 0, "of the laser's state", {"double", "single"}, true},
      {"dac.bits", "1", whole(8), 1, 16, "bits of a drive code", {}, true},
      {"adc.bits", "1", whole(8), 1, 16, "bits of a photodiode code", {}, true},
      {"adc.range", "1", 0.3, 1e-6, 1e6, "normalised intensity at the highest code"},
      {"drive.kind", "", std::string("injection"), 0, 0, "what the drive modulates", {"injection", "current"}},
      {"drive.depth", "1", 0.2, 0, 1, "relative modulation of the pump when drive.kind is current"},
      {"laser.kind", "", std::string("single_mode"), 0, 0, "polarisations", {"single_mode", "spin_flip"}, true},
      {"laser.pump", "1", 1.0, 0, 100, "pump over its threshold value"},
      {"laser.bias_a", "A", 0.0, 0, 1, "bias current; 0: laser.pump says the pump"},
      {"laser.threshold_a", "A", 5e-3, 1e-6, 1, "bias current at a pump of 1"},
      {"laser.pump_slope", "1", 1.0, 0.1, 100, "pump per relative bias: pump = 1 + slope (bias / threshold - 1)"},
      {"laser.alpha", "1", 3.0, 0, 20, "linewidth enhancement factor"},
      {"laser.photon_lifetime_s", "s", 1.0 / 600e9, 1e-13, 1e-9, "1 / (2 k), k the decay rate of the field"},
      {"laser.carrier_lifetime_s", "s", 1e-9, 1e-11, 1e-7, "1 / g"},
      {"laser.spontaneous", "1", 1e-5, 0, 1, "fraction of carriers that emit into a mode"},
      {"laser.saturation", "1", 0.0, 0, 10, "gain compression per unit of normalised intensity"},
      {"laser.spin_rate_per_s", "1/s", 50e9, 0, 1e14, "spin relaxation (laser.kind = spin_flip, as the next two)"},
      {"laser.birefringence_rad_per_s", "rad/s", 10e9, -1e13, 1e13, "half the angular frequency between y and x"},
      {"laser.dichroism_per_s", "1/s", 0.0, -1e12, 1e12, "loss of x above, of y below their mean"},
      {"laser.wavelength_m", "m", 980e-9, 1e-7, 1e-5, "free-running wavelength, beside injection.wavelength_m"},
      {"feedback.kind",
       "",
       std::string("isotropic"),
       0,
       0,
       "each polarisation into itself, into the other, or x into y only (spin_flip)",
       {"isotropic", "rotated", "x_to_y"},
       true},
      {"feedback.rate_per_s", "1/s", 15e9, 0, 1e12, "coupling rate of the light that comes back"},
      {"feedback.delay_s", "s", 1.02e-9, 1e-13, 1e-5, "round trip of the feedback loop", {}, true},
      {"feedback.phase_rad", "rad", 0.0, -1e3, 1e3, "phase of the light that comes back"},
      {"injection.rate_per_s", "1/s", 20e9, 0, 1e12, "coupling rate of the injected light"},
      {"injection.detuning_hz", "Hz", 0.0, -1e12, 1e12, "injected minus free-running optical frequency"},
      {"injection.wavelength_m", "m", 980e-9, 1e-7, 1e-5,
       "of the injected light: adds c / it - c / laser.wavelength_m to the detuning"},
      {"injection.angle_rad", "rad", 0.0, -1e3, 1e3, "polarisation of the injected light, 0 along x (spin_flip)"},
      {"detector.output",
       "",
       std::string("total"),
       0,
       0,
       "what the photodiode sees; both: all codes of x, then all of y (spin_flip)",
       {"total", "x", "y", "both"},
       true},
      {"detector.noise", "1", 0.01, 0, 1, "sd of the detected signal over the ADC's range"},
      {"detector.snr", "1", 0.0, 0, 1e12, "power of the full range over that of the noise; 0: detector.noise says it"},
      {"detector.bandwidth_hz", "Hz", 0.0, 0, 1e13, "of a one-pole filter before the ADC; 0: none"},
      {"instance",
       "1",
       whole(0),
       0,
       9007199254740992.0,
       "which of several equal devices: the other key of its noise",
       {},
       true},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
}

Shape shape_of(const ParamSet& params) {
  Shape shape;
  shape.grid.step_s = params.real("step_s");
  shape.grid.delay_steps = in_steps(params, "feedback.delay_s");
  shape.grid.two_polarisations = params.text("laser.kind") == "spin_flip";
  shape.grid.single_precision = params.text("precision") == "single";
  const std::string& path = params.text("feedback.kind");
  shape.grid.feedback = path == "isotropic" ? FeedbackPath::isotropic
                        : path == "rotated" ? FeedbackPath::rotated
                                            : FeedbackPath::x_to_y;
  const std::string& output = params.text("detector.output");
  shape.detected = output == "total" ? Detected::total
                   : output == "x"   ? Detected::x
                   : output == "y"   ? Detected::y
                                     : Detected::both;
  if (!shape.grid.two_polarisations && (path != "isotropic" || (output != "total" && output != "x")))
    throw InvalidParameter("sim:delay_vcsel: a single-mode laser",
                           "feedback.kind=" + path + ", detector.output=" + output, "has one polarisation",
                           "Set laser.kind=spin_flip.");
  shape.samples = params.integer("input.size");
  shape.steps_per_sample = in_steps(params, "sample_s");
  shape.dac_bits = static_cast<int>(params.integer("dac.bits"));
  shape.adc_bits = static_cast<int>(params.integer("adc.bits"));
  shape.seed = static_cast<std::uint64_t>(params.integer("seed"));
  shape.instance = static_cast<std::uint64_t>(params.integer("instance"));
  return shape;
}

Operation operation_of(const ParamSet& params, const Shape& shape) {
  Operation op;
  LaserModel& m = op.laser;
  m.photon_lifetime_s = params.real("laser.photon_lifetime_s");
  m.carrier_lifetime_s = params.real("laser.carrier_lifetime_s");
  m.alpha = params.real("laser.alpha");
  m.spontaneous = params.real("laser.spontaneous");
  m.saturation = params.real("laser.saturation");
  m.spin_rate = params.real("laser.spin_rate_per_s");
  m.birefringence_rad_per_s = params.real("laser.birefringence_rad_per_s");
  m.dichroism_rate = params.real("laser.dichroism_per_s");
  m.feedback_rate = params.real("feedback.rate_per_s");
  m.feedback_phase_rad = params.real("feedback.phase_rad");
  m.injection_rate = params.real("injection.rate_per_s");
  m.injection_angle_rad = params.real("injection.angle_rad");
  m.detuning_hz = detuning_of(params);
  op.pump = pump_of(params);
  op.depth = params.real("drive.depth");
  op.by_injection = params.text("drive.kind") == "injection";
  op.bandwidth_hz = params.real("detector.bandwidth_hz");
  const double range = params.real("adc.range"), snr = params.real("detector.snr");
  const double noise = snr > 0 ? noise_for_snr(range, snr) : range * params.real("detector.noise");
  op.receiver = Receiver({range, noise, shape.adc_bits});
  check_step(m, shape.grid, op.by_injection ? op.pump : op.pump * (1 + op.depth), "sim:delay_vcsel");
  return op;
}

}  // namespace lightloop::delay_vcsel
