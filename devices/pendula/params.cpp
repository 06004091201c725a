#include "devices/pendula/params.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "devices/param_list.hpp"

namespace lightloop::pendula {
namespace {
Value whole(std::int64_t value) { return value; }
double middle(const ParamSet& params, const char* bits) {
  return std::ldexp(1.0, static_cast<int>(params.integer(bits)) - 1);
}
}  // namespace

FrontEndNames front_end_names() {
  return {.range = "range_rad", .output_noise = "read_noise_rad", .output_law = "read_noise_law", .unit = "rad"};
}

std::vector<ParamInfo> params() {
  const std::vector<ParamInfo> size{{"input.size", "1", whole(12), 4, 1024, "pendula", {}, true}};
  const FrontEndDefaults front{.names = front_end_names(),
                               .dac_bits = 12,
                               .adc_bits = 12,
                               .range = 3,
                               .least_range = 0.01,
                               .most_range = 100,
                               .range_needs_reopen = true,
                               .range_help = "angle at the ends of the ADC's range",
                               .output_noise = 0.005,
                               .output_noise_help = "sd of an angle as it is read"};
  const std::vector<ParamInfo> own{
      {"program.bits", "1", whole(12), 2, 16, "bits of a programme code", {}, true, whole(16)},
      {"encoding_rad", "rad", 1.0, 0.01, 3.1, "angle of a pendulum at full input", {}, true},
      {"time_s", "s", 2.0, 0.01, 100, "from letting go to reading", {}, true},
      {"step_s",
       "s",
       1.0 / 30,
       1e-4,
       0.1,
       "of the integration; rounded so that a whole number of them is time_s",
       {},
       true},
      {"frequency_rad_s", "rad/s", 5.0, 0.1, 100, "of small swings, at middle programme code", {}, true},
      {"frequency_span", "1", 0.5, 0, 0.99, "relative change of a frequency at full programme code", {}, true},
      {"coupling_s2", "1/s^2", 10.0, 0, 1e4, "of neighbours, at middle programme code; from 0 to twice this", {}, true},
      {"drive_rad_s2", "rad/s^2", 5.0, 0, 1e4, "amplitude of the drive at full programme code", {}, true},
      {"drive_rad_s", "rad/s", 5.0, 0, 1e3, "angular frequency of the drive", {}, true},
      {"damping_s", "1/s", 0.1, 0, 100, "of every pendulum", {}, true},
      {"frequency_error", "1", 0.02, 0, 0.5, "relative sd of frequencies, drawn once per device", {}, true, 0.0},
      {"coupling_error", "1", 0.05, 0, 0.5, "relative sd of couplings, drawn once per device", {}, true, 0.0},
      {"drive_error", "1", 0.05, 0, 0.5, "relative sd of drives, drawn once per device", {}, true, 0.0},
      {"perturbation", "1", 0.0, 0, 0.5, "relative sd of a change of all frequencies", {}, false},
      {"perturbation.frame", "1", whole(0), 0, 9007199254740992.0,
       "number of the first frame that meets it (where perturbation is above 0)"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
  return param_list({size, front_end_params(front), own});
}

Scales::Scales(const ParamSet& p)
    : size(p.integer("input.size")),
      steps(std::max<Index>(1, std::llround(p.real("time_s") / p.real("step_s")))),
      step_s(p.real("time_s") / static_cast<double>(steps)),
      encoding_rad(p.real("encoding_rad")),
      range_rad(p.real("range_rad")),
      middle_in(middle(p, "dac.bits")),
      middle_program(middle(p, "program.bits")),
      middle_out(middle(p, "adc.bits")),
      frequency(p.real("frequency_rad_s")),
      span(p.real("frequency_span")),
      coupling(p.real("coupling_s2")),
      drive(p.real("drive_rad_s2")),
      damping(p.real("damping_s")),
      drive_rad_s(p.real("drive_rad_s")) {}

Chain Scales::chain(std::span<const double> s) const {
  Chain made;
  const auto n = static_cast<std::size_t>(size);
  for (std::size_t i = 0; i < n; ++i) {
    made.frequency.push_back(frequency * (1 + span * s[i]));
    made.coupling.push_back(coupling * (1 + s[n + i]));
    made.drive.push_back(drive * s[2 * n + i]);
  }
  made.damping = damping;
  made.drive_rad_s = drive_rad_s;
  return made;
}

double turn(const Chain& chain, double step_s) {
  // An upper bound of the rates of the linear motion: springs pull by at most 4 k, gravity and drive turn back by w^2 +
  // a.
  double swing = 0, spring = 0;
  for (std::size_t i = 0; i < chain.frequency.size(); ++i) {
    swing = std::max(swing, chain.frequency[i] * chain.frequency[i] + std::abs(chain.drive[i]));
    spring = std::max(spring, chain.coupling[i]);
  }
  return step_s * std::max(std::sqrt(swing + 4 * spring), chain.damping);
}

void check_turn(const Chain& chain, double step_s) {
  const double turned = turn(chain, step_s);
  if (turned > kMostTurn)
    throw OutOfRange("sim:pendula: step_s = " + to_string(Value(step_s)),
                     "the fastest motion turns by " + to_string(Value(turned)) + " rad in a step",
                     to_string(Value(kMostTurn)) + " at most",
                     "Take a shorter step_s, or lower frequencies, couplings, drives or damping.");
}

double Scales::slope(Index place) const {
  return place < size ? frequency * span : place < 2 * size ? coupling : drive;
}

}  // namespace lightloop::pendula
