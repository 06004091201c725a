#pragma once
// sim:pendula: a ring of driven, coupled pendula as a physical layer: inputs are the angles they are let go from,
// outputs the angles a while later, and the programme sets frequencies, couplings and drives.
//
// Equations. Codes stand for s = (c - c0) / c0, c0 = 2^(bits - 1).
//   q_i(0) = encoding_rad s_i,  q_i'(0) = 0
//   q_i'' = -w_i^2 sin q_i + k_{i-1} (q_{i-1} - q_i) + k_i (q_{i+1} - q_i) - damping q_i' + a_i cos(drive t) cos q_i
//   w_i = frequency (1 + frequency_span s_i),  k_i = coupling (1 + s_{n+i}),  a_i = drive s_{2n+i},  each times 1 +
//   error xi
//   code = clip(round(c0 + c0 (q_i(time_s) + read_noise_rad xi) / range_rad), 0, 2^bits - 1)     clipped: counted
// with the stages of devices/front_end.hpp before s and behind q; its output noise is read_noise_rad. Angles are
// integrated by the classical Runge-Kutta method of Boost.Odeint with steps of about step_s.
//
// Perturbation: from frame `perturbation.frame` on every w_i is another, w_i (1 + perturbation xi'_i), and the twin
// does not know: somebody has changed the lengths.
//
// Programme: 3 n codes, frequencies, couplings (i with i + 1, around the ring), drives. Before the first program() all
// are at their middle: nominal frequencies and couplings, no drive. The answer is no matrix product, so Layer refuses
// the device, but where its programme learns (layer.update = programme): through its twin, or by losses alone.
//
// Randomness. Fabrication: purpose 60, row 0 frequencies, 1 couplings, 2 drives, 3 perturbation, column = pendulum.
// Read: purpose 61, row = frame id, and converters as in devices/front_end.hpp. No state but the programme: every frame
// starts anew.
//
// Parameters and sources: the equation is that of a driven pendulum array (Thakur, English, Sievers, arXiv 0710.3373),
// used as the example of physics-aware training (Wright et al., Nature 601, 549 (2022)). Frequency of a pendulum of 39
// cm, coupling, drive, damping, errors of a few per cent, 1 mW per driven pendulum: assumed. Validity: rigid pendula,
// linear springs and friction; the step resolves the fastest swing (error below 1e-3 rad at the defaults).
#include "driver/api/registry.hpp"

namespace lightloop::pendula {

DeviceModel model();

}  // namespace lightloop::pendula
