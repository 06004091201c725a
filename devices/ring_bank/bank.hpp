#pragma once
// The optics of sim:ring_bank and the controller that sets it: from programme codes to the weights of a moment.
#include <cstdint>
#include <span>
#include <vector>

#include "core/factor.hpp"
#include "core/param.hpp"
#include "devices/ring_bank/temperature.hpp"
#include "sim/optics/ring.hpp"

namespace lightloop::ring_bank {

class Bank {
 public:
  explicit Bank(const ParamSet& params);

  /// Sets the heaters for targets (codes - middle) / middle at a time; write 0 leaves every heater off.
  void write(std::span<const std::uint16_t> codes, float middle, std::uint64_t writes, double time_s);
  bool moves() const { return thermostat_.moves() || (thermostat_.tracking && dither_error_ > 0); }
  Index step(double time_s) const { return moves() ? thermostat_.step(time_s) : 0; }
  /// Makes weights() and totals() those of a step.
  void move_to(Index step);

  Factor& weights() { return weights_; }                     ///< (drop - through) / range, (outputs, inputs)
  Factor& totals() { return totals_; }                       ///< (drop + through) / range
  const std::vector<double>& bias() const { return bias_; }  ///< sum of a row of weights when it was written
  double heater_rad() const { return heater_rad_; }          ///< sum of all heaters' phases
  Index out_of_reach() const { return out_of_reach_; }       ///< rings at the end of their detuning
  double loop_error() const { return loop_error_; }          ///< rms over all weights, as the last round measured them
  double resolved() const { return resolved_; }              ///< channels up to which every matrix can be held
  Index buses() const { return (inputs_ + channels_ - 1) / channels_; }
  double full_scale() const { return range_; }
  /// Past the rings of a bus, two diameters apart (assumed), and out of the last of them on resonance. Group index of
  /// the measured rings.
  double path_latency_s() const;

 private:
  void fabricate();
  /// Drop and through of every wavelength of one output for phases psi of its rings.
  void respond(Index output, std::span<const double> psi, std::span<double> drop, std::span<double> through) const;
  /// What phases the rings have with these heaters, the temperature aside.
  void phases(Index output, std::span<const double> heaters, std::span<double> psi) const;
  /// Heaters, as their DACs hold them, that bring the rings to these detunings as far as the controller knows.
  void drive(Index output, std::span<const double> detuning, std::span<double> heaters) const;
  void control(Index output, std::span<const double> target, std::uint64_t writes, Index now, double common);
  /// Adds what temperature and dither do to one output's rings; `common` is the thermostat's phase at the step.
  void add_drift(Index output, Index step, double common, std::span<double> psi) const;

  Index inputs_, outputs_, channels_;
  double radius_m_, range_, crosstalk_, heater_range_, heater_top_, sweep_error_, monitor_noise_, dither_error_, ki_,
      kp_, kd_;
  double index_rad_, coupling_spread_, loss_spread_;
  bool swept_, feedback_;
  Index rounds_;
  std::uint64_t seed_;
  AddDropRing nominal_;
  double beyond_;  // how far past the resonance it believes in the controller goes: half a linewidth
  double resolved_;
  bool coupled_;  // more channels than that: rings are not set each for itself
  Thermostat thermostat_;
  std::vector<AddDropRing> rings_;
  std::vector<double> offset_, known_, heaters_;  // per ring: phase as made, what the controller knows of it, heater
  std::vector<double> cos_, sin_;                 // of the angles between channels
  std::vector<Index> unreached_;
  std::vector<double> left_;  // per output: squared errors of the last round
  Index step_ = -1, out_of_reach_ = 0;
  double heater_rad_ = 0, loop_error_ = 0;
  std::vector<double> bias_;
  Factor weights_, totals_;
};

}  // namespace lightloop::ring_bank
