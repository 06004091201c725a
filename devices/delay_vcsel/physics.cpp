#include "devices/delay_vcsel/physics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/units.hpp"
#include "devices/delay_vcsel/params.hpp"
#include "sim/lasers/laser_measure.hpp"
#include "sim/lasers/laser_theory.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

/// One laser on the bench, and the table it fills.
class Table {
 public:
  explicit Table(const ParamSet& params)
      : shape_(shape_of(params)),
        op_(operation_of(params, shape_)),
        seed_(shape_.seed),
        two_(shape_.grid.two_polarisations),
        pump_(op_.pump >= 1.1 ? op_.pump : 2.0) {
    at_pump_ = (op_.pump >= 1.1 ? "at pump " : "at pump 2, not at ") +
               to_string(Value(op_.pump >= 1.1 ? pump_ : op_.pump)) + (op_.pump >= 1.1 ? "" : ", which is dark");
    if (two_) at_pump_ += ", one polarisation";
    alone_ = op_.laser;
    alone_.dichroism_rate = 0;
    one_ = shape_.grid;
    one_.two_polarisations = false;
    one_.feedback = FeedbackPath::isotropic;
  }

  std::vector<PhysicsRow> fill() {
    light_line();
    ringing();
    noise();
    locking();
    polarisations();
    return std::move(rows_);
  }

 private:
  void add(const char* name, const char* formula, const char* unit, double expected, double measured, double tolerance,
           const std::string& detail) {
    rows_.push_back({name, formula, unit, expected, measured, tolerance, detail, false});
  }
  void skip(const char* name, const char* formula, const char* unit, const std::string& why) {
    rows_.push_back({.name = name, .formula = formula, .unit = unit, .detail = why, .skipped = true});
  }

  void light_line() {
    const auto line = LaserBench(op_.laser, shape_.grid).light_line();
    const double threshold = threshold_pump(op_.laser, two_), slope = 1 / (threshold * (1 + op_.laser.saturation));
    add("threshold pump", "1 - |ga| / k", "1", threshold, line.threshold, 1e-4, "pumps 1.5 and 2.5");
    add("slope of the L-I line", "1 / (threshold (1 + s))", "1", slope, line.slope, 1e-4 * slope, "pumps 1.5 and 2.5");
  }

  void ringing() {
    const Oscillation theory = relaxation_oscillation(alone_, pump_);
    const char* const frequency = "relaxation oscillation, frequency";
    const char* const formula = "sqrt(2 k g (mu - 1) - (g mu / 2)^2) / 2 pi";
    const std::string saturated = alone_.saturation > 0 ? "; formulas with gain saturation: eigenvalues" : "";
    if (theory.frequency_hz == 0) return skip(frequency, formula, "Hz", "overdamped " + at_pump_);
    const auto measured = LaserBench(alone_, one_).ringing(pump_);
    add(frequency, formula, "Hz", theory.frequency_hz, measured.frequency_hz, 0.003 * theory.frequency_hz,
        at_pump_ + saturated);
    add("relaxation oscillation, damping", "g mu / 2", "1/s", theory.damping_per_s, measured.damping_per_s,
        0.01 * theory.damping_per_s, at_pump_ + saturated);
  }

  void noise() {
    LaserModel m = alone_;
    std::string how = at_pump_;
    if (m.spontaneous == 0) {
      m.spontaneous = 1e-5;
      how += ", laser.spontaneous 1e-5 for this row";
    }
    const char* const peak = "intensity noise, peak";
    if (relaxation_oscillation(m, pump_).frequency_hz == 0)
      return skip(peak, "of the linearised spectrum", "Hz", "overdamped " + at_pump_);
    const LaserBench bench(m, one_, seed_);
    const auto measured = bench.intensity_noise(pump_);
    const double frequency = rin_peak_hz(m, pump_), spread = relative_intensity_noise(m, pump_);
    add(peak, "near sqrt(2 k g (mu - 1)) / 2 pi, linearised", "Hz", frequency, measured.peak_hz, 0.03 * frequency, how);
    // 8 lasers, 60 segments of 10 damping times: 4800 independent squares, sd sqrt(2 / 4800) / 2 = 1 %
    if (spread < 0.1)
      add("intensity noise, sd over mean", "linearised, by the Lyapunov equation", "1", spread, measured.sd_over_mean,
          0.04 * spread, how);
    else
      skip("intensity noise, sd over mean", "linearised", "1",
           "noise of " + to_string(Value(spread)) + " is not small");
    const double width = phase_diffusion(m, pump_) / kTurn;
    add("linewidth", "(b g N / I)(1 + alpha^2) / 2 pi", "Hz", width, bench.phase_diffusion(pump_) / kTurn,
        0.125 * width, how + "; standard error 3.5 %");
  }

  void locking() {
    LaserModel weak = alone_;
    weak.spontaneous = 0;
    weak.injection_angle_rad = 0;
    weak.injection_rate = 0.2 * relaxation_oscillation(alone_, pump_).damping_per_s;
    const double adler = adler_range_hz(weak, pump_, 1);
    const auto range = LaserBench(weak, one_).locking_range_hz(pump_, 1, 0, 1.3 * adler);
    add("weak injection, half of the locking range", "kinj sqrt(1 + alpha^2) / (2 pi sqrt I)", "Hz", adler,
        (range.second - range.first) / 2, 0.01 * adler,
        at_pump_ + ", injection " + format_quantity(weak.injection_rate, "1/s"));

    const char* const low = "injection as set, locking from";
    const char* const high = "injection as set, locking to";
    const char* const formula = "eigenvalues of (Re E, Im E, N)";
    LaserModel strong = weak;
    strong.injection_rate = op_.laser.injection_rate;
    if (strong.injection_rate == 0 || strong.saturation > 0) {
      skip(low, formula, "Hz", strong.saturation > 0 ? "theory has no gain saturation" : "no injection");
      skip(high, formula, "Hz", strong.saturation > 0 ? "theory has no gain saturation" : "no injection");
      return;
    }
    const auto theory = lightloop::locking_range_hz(strong, pump_, 1);
    const double width = theory.second - theory.first, tolerance = 0.01 * width + 1e-3 * std::abs(theory.first);
    const auto measured =
        LaserBench(strong, one_).locking_range_hz(pump_, 1, (theory.first + theory.second) / 2, width);
    const std::string how = at_pump_ + ", full drive";
    add(low, formula, "Hz", theory.first, measured.first, tolerance, how);
    add(high, formula, "Hz", theory.second, measured.second, tolerance, how);
  }

  /// First pump up to kMost at which `y` (or x) alone changes its stability.
  static double edge(const LaserModel& m, bool y) {
    constexpr double kMost = 20;
    const double k = 0.5 / m.photon_lifetime_s, least = 1 + std::abs(m.dichroism_rate) / k;
    const bool first = polarisation_stable(m, 1.005 * least, y);
    for (double mu = 1.005 * least; mu < kMost; mu *= 1.005) {
      if (polarisation_stable(m, mu * 1.005, y) == first) continue;
      double a = mu, b = mu * 1.005;
      for (int i = 0; i < 40; ++i) (polarisation_stable(m, (a + b) / 2, y) == first ? a : b) = (a + b) / 2;
      return a;
    }
    return 0;
  }

  void polarisations() {
    for (const bool y : {false, true}) {
      const char* const name = y ? "pump at which y changes its stability" : "pump at which x changes its stability";
      const char* const formula = y ? "ga = 0: 1 + (2 alpha gp - gs) / g" : "ga = 0: 1 + gs gp / (g (k alpha - gp))";
      if (!two_) {
        skip(name, formula, "1", "one polarisation");
        continue;
      }
      const double expected = op_.laser.saturation > 0 ? 0 : edge(op_.laser, y);
      if (expected == 0) {
        skip(name, formula, "1",
             op_.laser.saturation > 0 ? "theory has no gain saturation" : "none up to a pump of 20");
        continue;
      }
      const double over = expected - 1;
      const double measured = LaserBench(op_.laser, shape_.grid).polarisation_edge(y, 1 + 0.8 * over, 1 + 1.25 * over);
      add(name, formula, "1", expected, measured, 0.02 * over + 2e-3, "eigenvalues of the other field and the spin");
    }
  }

  Shape shape_;
  Operation op_;
  std::uint64_t seed_;
  bool two_;
  double pump_;
  std::string at_pump_;
  LaserModel alone_;
  LaserGrid one_;
  std::vector<PhysicsRow> rows_;
};

}  // namespace

std::vector<PhysicsRow> physics(const ParamSet& params) { return Table(params).fill(); }

}  // namespace lightloop::delay_vcsel
