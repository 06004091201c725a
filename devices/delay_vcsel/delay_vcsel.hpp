#pragma once
// sim:delay_vcsel: a laser with a delayed feedback loop as a time-multiplexed reservoir.
//
// One frame is a train of input.size drive samples, each held for sample_s; the answer is one ADC code per sample (two
// with detector.output=both: all of x, then all of y). The laser runs on from frame to frame: fields, carriers, the
// light under way in the loop, the detector's filter and the clock are its state.
//
// Equations. Laser: sim/lasers/spin_flip.hpp, laser.kind = single_mode (Lang-Kobayashi) or spin_flip (two
// polarisations), with k = 1 / (2 laser.photon_lifetime_s), g = 1 / laser.carrier_lifetime_s, b = laser.spontaneous, s
// = laser.saturation, gs, gp, ga = laser.spin_rate_per_s, .birefringence_rad_per_s, .dichroism_per_s; eta, tau, phi =
// feedback.rate_per_s, .delay_s, .phase_rad; kinj, dnu, psi = injection.rate_per_s, .detuning_hz, .angle_rad. The pump
// is laser.pump, or 1 + laser.pump_slope (laser.bias_a / laser.threshold_a - 1) where a bias is given; the detuning
// follows from injection.wavelength_m and laser.wavelength_m where the former is given. A code c of the DAC stands for
// s = 2 c / (2^bits - 1) - 1 in [-1, 1]:
//   drive.kind = injection: Einj = sin(pi/4 (1 + s)) in [0, 1], a Mach-Zehnder modulator at quadrature; mu = pump
//   drive.kind = current:   mu = pump (1 + drive.depth s), Einj = 0
// Detection (sim/detection/receiver.hpp): |E|^2 of both polarisations, or of one, passes a one-pole filter of
// detector.bandwidth_hz and is integrated over each sample, then
//   code = clip(round((I / adc.range + noise xi) (2^bits - 1)), 0, 2^bits - 1); clipped codes are counted.
// noise = detector.noise, or 1 / sqrt(detector.snr). |E|^2 is in units of the solitary laser's at twice its threshold
// pump.
//
// Randomness, by frame id f, sample n and step j of S in it: stream laser_spontaneous, row = (f * input.size + n) S +
// j, columns 0 to 3; stream detector_noise, row = f, column = n (y of `both`: input.size + n). The second key is
// `instance`, plus m for member m of an ensemble. The opening state is the solitary laser at rest with a dark loop.
//
// Ensemble: members differ in everything that needs no re-open; they are vectorised (16 share their registers) and
// spread over threads. A member's codes are those of a single device of its instance, bit for bit, whatever its
// neighbours and the number of threads; `precision` does change them.
//
// Parameters: k 300 /ns, alpha 3, g 1 /ns, gs 50 /ns are the usual textbook set (Martin-Regalado et al., IEEE J.
// Quantum Electron. 33, 765 (1997)). Sample time 20 ps, feedback 15 /ns, injection 20 /ns, pump at threshold and a loop
// one sample longer than the frame: an operating point that we found to do well on one-step prediction; the preset
// "memory" trades nonlinearity for memory. spontaneous 1e-5 and 40 dB of detection are assumed, of the order reported
// for VCSELs; so are threshold 5 mA and 980 nm. Presets of published lasers:
//   martin_regalado  the textbook set with gp 10 rad/ns, ga 0.1 /ns: bistable polarisation (IEEE JQE 33, 765 (1997))
//   dedkov_a, _b     two VCSELs of the spin-flip simulations of github.com/DedkovEA/VCSEL-experiments; their noise,
//                    sqrt(k Csp (N +- n + M)), is matched in strength at N = 1
//   estebanez        delay reservoir of Estebanez et al. (2021) as in github.com/mrk-gld/delay_based_rc, 15.35 mA
//   chumley          the VCSEL of Chumley's vcsel_lib, 0.319 mA; its noise is not taken over
// Validity: one longitudinal and transverse mode; step_s resolves detuning, birefringence and relaxation oscillation
// (refused otherwise, with the term and the longest step), loop and sample time are whole numbers of steps (refused
// otherwise). Rates that make the equations blow up are met while running: OutOfRange, nothing changed.
#include "driver/api/registry.hpp"

namespace lightloop::delay_vcsel {

DeviceModel model();

}  // namespace lightloop::delay_vcsel
