#pragma once
// sim:delay_vcsel: a single-mode laser with a delayed feedback loop as a time-multiplexed reservoir.
//
// One frame is a train of input.size drive samples, each held for sample_s; the answer is one ADC code per sample. The
// laser runs on from frame to frame: field, carriers, the light under way in the loop and the clock are its state.
//
// Equations. Laser: sim/lasers/lang_kobayashi.hpp, with k = 1 / (2 laser.photon_lifetime_s), g = 1 /
// laser.carrier_lifetime_s, eta = feedback.rate_per_s, tau = feedback.delay_s, phi = feedback.phase_rad (multiplies the
// field by exp(+i phi)), kinj = injection.rate_per_s, dnu = injection.detuning_hz (injected minus free-running). A code
// c of the DAC stands for s = 2 c / (2^bits - 1) - 1 in [-1, 1]:
//   drive.kind = injection: Einj = sin(pi/4 (1 + s)) in [0, 1], a Mach-Zehnder modulator at quadrature; mu = laser.pump
//   drive.kind = current:   mu = laser.pump (1 + drive.depth s), Einj = 0
// Detection: the receiver integrates |E|^2 over each sample, I = mean |E|^2, and
//   code = clip(round((I / adc.range + detector.noise xi) (2^bits - 1)), 0, 2^bits - 1); clipped codes are counted.
// |E|^2 is in units of the solitary laser's at twice its threshold pump.
//
// Randomness, by frame id f and sample n: stream laser_spontaneous, row = f * input.size + n, two columns per step;
// stream detector_noise, row = f, column = n. The opening state is the solitary laser at rest with a dark loop.
//
// Parameters: k 300 /ns, alpha 3, g 1 /ns are the usual textbook set (Martin-Regalado et al., IEEE J. Quantum Electron.
// 33, 765 (1997)). Sample time 20 ps, feedback 15 /ns, injection 20 /ns, pump at threshold and a loop one sample longer
// than the frame: an operating point that we found to do well on one-step prediction; the preset "memory" trades
// nonlinearity for memory. spontaneous 1e-5 and 40 dB of detection are assumed, of the order reported for VCSELs.
// Validity: one longitudinal, transverse and polarisation mode; detuning, relaxation oscillation and locking rates
// resolved by step_s; loop and sample time whole numbers of steps (refused otherwise).
#include "driver/api/registry.hpp"

namespace lightloop::delay_vcsel {

DeviceModel model();

}  // namespace lightloop::delay_vcsel
