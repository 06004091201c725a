#pragma once
// sim:homodyne: matrix products by interference of two modulated beams, photon by photon.
//
// Equations. Every input is a pulse of signed amplitude v_j = (x_j - c0) / c0, fanned out to all outputs; at output i
// it meets a local pulse of amplitude w_ij = (c_ij - c0) / c0 on a splitter, and two photodiodes add up all pulses of a
// frame. Mean photons at full amplitude: photons.input (at every output) and photons.weight.
//   n+-_i ~ Poisson(efficiency (sum_j (P_x v_j^2 + P_w w_ij^2) / 2 +- visibility sqrt(P_x P_w) sum_j w_ij v_j) + dark)
//   y_i = (n+_i - n-_i + electrons xi) / (2 efficiency visibility sqrt(P_x P_w)),   mean sum_j w_ij v_j
//   code_i = clip(round(c0 + c0 y_i / adc.range), 0, 2^bits - 1)              clipped codes are counted as saturated
// with the stages of devices/front_end.hpp before v and behind y; output noise is drawn with the electrons, and so
// is with detector.noise the receivers' own: S B (T / q)^2 beside electrons^2, S of load, amplifier and the dark
// current of two diodes, T the frame of the pass. B is that of an integrator over the frame, 1 / (2 T), as the counts
// are, unless detector.bandwidth_hz gives another. Behind the filter of detector.order (devices/detector.hpp, a frame a
// symbol; multiplexing = space) the variance of the counts is 2 B T of theirs. Before the first frame, after program()
// and reset(), and of one pass after frames of the other, receivers have settled in the dark. Intensity noise of the
// inputs' laser makes v_j (1 + sqrt(laser.rin_hz B) / 2 xi) of all v_j of a frame: what it adds to both diodes alike
// cancels in n+ - n-, and y = 0 has none of it; that of the local pulses is not modelled apart.
//
// The variance of n+ - n- is the number of detected photons, efficiency sum_j (P_x v_j^2 + P_w w_ij^2): the standard
// quantum limit; counts are counts, so the law holds below one photon per product as well. visibility < 1: the two
// pulses do not overlap fully; their photons come, and make noise, but do not interfere. The transposed pass shows
// pulses to the other index of the same weights.
//
// multiplexing = time: one pulse after the other on one detector pair per output, weights streamed from DACs in every
// frame, input.size / symbol_rate a frame. space: one path per weight, all on the detector at once, weights held.
//
// Programme: weight codes, output.size x input.size, row by row. Before the first program() all weights are 0.
// Randomness. Read: stream homodyne_read (instance 0 forward, 1 transposed: counts, columns 2 i and 2 i + 1; 2, 3:
// electrons, column i), row = frame id; purpose 67 (0, 1), row = frame id: intensity noise; converters as in
// devices/front_end.hpp. State: the programme, and the frames that filters remember.
//
// Parameters and sources: R. Hamerly et al., Phys. Rev. X 9, 021032 (2019); its standard quantum limit, 50 zJ per
// product, is 0.39 photons at 1550 nm. 10^4 photons at full amplitude, 1 GS/s: assumed. 300 electrons of read noise: a
// capacitance of 0.5 pF at room temperature, sqrt(k T C) / q, is 284. Energies: sim/detection/component_energy.hpp.
// Validity: pulses in one polarisation and mode, phase-locked; detectors linear up to the whole frame's photons. Counts
// above 1e7 are drawn in single precision, with an error below 1e-3 of their shot noise up to 1e9.
#include "driver/api/registry.hpp"

namespace lightloop::homodyne {

DeviceModel model();

}  // namespace lightloop::homodyne
