#pragma once
// sim:wave: any linear wave system with a detector: waves go in at some ports, scatter, interfere, and are detected at
// others. Its transmission matrix is a measured one in a file (a fibre, a cavity, anybody's own), or that of a medium
// that nobody has measured.
//
// Equations. A code c of bits b, c0 = 2^(b - 1), is the wave u_j of port j,
//   encoding = signed: (c - c0) / c0     amplitude: c / (2^b - 1)     phase: exp(+i pi (c - c0) / c0)
//   E_i = o_i + sum_j T_ij u_j
//   s_i = |E_i|^2 (detection = intensity)    |E_i| (amplitude)    Re E_i (field)
//   code = clip(round(d + (2^b - 1 - d) (s_i + noise n_i xi) / f_i)), d = (2^b - 1) / 32     clipped: counted
//   field: code = clip(round(c0 + c0 (s_i + noise n_i xi) / f_i))
// f_i is the signal at the highest code, n_i the sd of the noise. The dark level d keeps noise around darkness from
// being clipped (assumed).
//
// File (`matrix`, HDF5): /matrix (outputs, inputs, 2) real and imaginary parts, or (outputs, inputs) real. Also, if
// there: /offset (outputs, 2), o; /full_scale (outputs), f; /noise (outputs), n. Otherwise o = 0, f = `headroom` times
// the mean signal of random inputs (for amplitudes and fields, times its root mean square), n = f / 500 (assumed: a
// camera of 9 bits). f and n hold for the law that they were found with: the file's attributes `encoding` and
// `detection` are what is taken unless asked otherwise, and asking otherwise is refused. tools/wave_matrix.py makes
// such files from measured data; docs/file_formats.md has the layout. Without a file T is complex Gaussian, E|T|^2 = 1.
//
// Perturbation: from frame `perturbation.frame` on T becomes sqrt(1 - p) T + sqrt(p) T', p = `perturbation`: part p of
// the scattered power goes new ways, T' being complex Gaussian with the mean power of every output of T. With
// `perturbation.matrix` the system of another file of the same size takes the place of the first, and p is 0 or 1: two
// measured states are correlated and their common phase is arbitrary, so that a sum of them is no state of the system.
// What happens depends on the frame's logical number alone, so the device has no state. The twin knows nothing of it:
// it is the system as it was measured.
//
// Randomness. Fabrication: T without a file, Purpose 62, T' 63, row = output. Read: purpose 64, row = frame id.
//
// Sources: Momeni et al., Science 382, 1297 (2023) for waves as unknown layers; Popoff et al., Phys. Rev. Lett. 104,
// 100601 (2010) for transmission matrices. Time and power of a frame (1 ms, 10 mW): assumed. Validity: linear, static,
// monochromatic propagation; the only non-linearities are the encoding and the detector.
#include "driver/api/registry.hpp"

namespace lightloop::wave {

DeviceModel model();

}  // namespace lightloop::wave
