#pragma once
// sim:crossbar: an analog crossbar (phase-change, resistive or photonic weight memory) as a programmable matrix layer.
//
// Equations. Every cell is a differential pair of conductances; signed quantities are codes around a middle code
// c0 = 2^(bits-1), so that code c stands for (c - c0) / c0 in [-1, 1).
//   v_j  = (x_j - c0) / c0                                  DAC: voltage over its full scale
//   w_ij = (theta_ij - c0) / c0 + programming_error * xi    written difference of the pair over g_max
//   y_i  = sum_j w_ij v_j + sqrt(read_noise^2 |v|^2 + output_noise^2) * xi
//   code_i = clip(round(c0 + c0 y_i / adc.range), 0, 2^bits - 1)       clipped codes are counted as saturated
// The transposed pass drives the outputs and reads the inputs: the same with w_ji, own noise. Before the first
// program() the memory is erased: w = 0.
//
// Programme: output.size x input.size codes, row by row (one row per output).
//
// Randomness. Programming: stream crossbar_programming, row = write number * output.size + i, column = j, redrawn with
// every write; the write number is the device's only state beyond the codes and is in its snapshot. Read: stream
// crossbar_read (instance 0 forward, 1 transposed), row = frame id, column = output. The read noise of the cells is
// drawn where it arrives: independent errors of sd s on every w_ij of a row add an error of sd s |v|_2 to y_i,
// independent between rows because no two share a cell. This is exact, not an approximation.
//
// Parameters and sources: 8-bit converters, range 10, output noise 0.04 and read noise 0.0175 as in the
// "standard hardware-aware training" preset of Rasch et al., Nat. Commun. 14, 5282 (2023); there the read noise scales
// with sqrt|w|, here it does not. Programming error 0.038: 0.95 uS of 25 uS, the measured phase-change device at half
// conductance, Joshi et al., Nat. Commun. 11, 2473 (2020). Times and energies: see crossbar.cpp.
// Validity: no IR drop, no drift, both devices of a pair away from zero conductance (else the error is not Gaussian).
#include "driver/api/registry.hpp"

namespace lightloop::crossbar {

DeviceModel model();

}  // namespace lightloop::crossbar
