#pragma once
// sim:ring_bank: a matrix held by banks of microrings, one ring per weight and wavelength, read by balanced
// photodiodes.
//
// Equations. Every input is the power of one wavelength, u_j = (1 + v_j) / 2 of power_w, v = (c - c0) / c0. Inputs are
// carried by buses of `channels` wavelengths, evenly spaced over one free spectral range; every output has a bank of
// rings on each bus, in the order of the wavelengths. Every ring meets every wavelength (inter-channel crosstalk):
//   ring k at wavelength j:   phi = psi_k + 2 pi (j - k) / channels,   T_t, T_d as in sim/optics/ring.hpp
//   through_j = prod_k T_t(k, j),   drop_j = sum_k T_d(k, j) prod_(m < k) T_t(m, j)
//   w_j = (drop_j - through_j) / weight_range,   s_j = (drop_j + through_j) / weight_range
//   y = sum_j w_j (1 + v_j) - bias + sqrt(V) xi,   bias = sum_j w_j at the moment of the last write
//   V = B [2 q R P / 2 (weight_range sum_j s_j (1 + v_j)) + 4 q I_dark buses + 4 k T / R_L + amplifier^2] / (R P / 2
//   weight_range)^2
// so that y = sum_j w_j v_j where nothing has moved since. Intensity noise of a laser is common to all outputs: 1 + v_j
// becomes (1 + v_j)(1 + sqrt(rin B) xi_j). code = clip(round(c0 + c0 y / adc.range)), clipped codes are counted. The
// stages of devices/front_end.hpp lie before v and behind y; with input noise no power is less than none.
//
// B and the filter of detector.order: devices/detector.hpp, a symbol a frame. Before the first frame, and after
// program(), reset() and a new clock_s, receivers have settled at v = 0. A filter whose h_0 is not the largest is
// refused: a reading would be of another frame. The controller sets weights; it takes no interference out.
//
// A ring's phase at its own wavelength: psi = 2 pi L dn / lambda (fabrication) + heater + crosstalk * heaters of its
// two neighbours + phase_per_k * temperature(t). Heaters have heater.bits over [0, heater.range_rad], linear in power.
//
// Programme: weight codes (one per output and input, row by row, w = (c - c0) / c0); the controller of the bank sets
// the heaters. control.method = model: it takes every ring for the nominal one; swept: it has measured each resonance
// to sweep_error when the device was opened, and takes out the heat of neighbours; pid: it goes on from there with
// control.steps measured rounds of all weights, each measured to monitor_noise, and moves the detuning by
//   - (ki e + kp (e - e') + kd (e - 2 e' + e'')) / (slope of the nominal weight)
// for every ring by itself, or, on a bus of more channels than its rings resolve, for all rings of the bus together by
// a damped Gauss-Newton step on the slopes of every nominal ring at every channel (devices/ring_bank/bus.hpp); never by
// more than a third of a linewidth. A ring that cannot reach its weight ends half a linewidth past resonance, and is
// counted; the rms of e over all weights in the last round is watched too (monitors), and the self-test fails where it
// is above 0.01 + 3 monitor_noise. With control.tracking = dither the bank takes out the temperature every
// dither.period_s from then on, leaving dither.error_rad per ring, drawn anew each time.
//
// What rings resolve: up to channels = (2 F / pi) acosh(sqrt(2 / (1 + weight_range))) of finesse F every matrix is held
// (sim/optics/ring.hpp); 13.9 at the defaults, F = 59. Beyond it rows near -1 are lost first, because there is no room
// to park a ring: 16 channels leave a row of -1 off by 0.06 (rms). Uniform random weights are held with 18 channels,
// off by 0.01 with 20, 0.03 with 24 and 0.2 with 32, about what least squares of nominal rings come to. More channels
// than F are refused.
//
// The temperature is a stationary Gaussian process of sd temperature.sd_k and correlation exp(-t / temperature.time_s),
// a sum of 64 cosines whose frequencies are drawn from its spectrum: a function of time, which can be set forward
// (clock_s). Weights follow it in 256 steps per correlation time, or once per dither period.
//
// Randomness. Fabrication: stream ring_fabrication, row = output, column = 4 input + {0 index, 1, 2 couplers, 3 loss};
// instance 1: sweep errors. Programming: stream ring_programming (instance 0: row = write number * outputs + output,
// column = round * inputs + input; instance 1: dither, row = period). Drift: stream ring_drift. Read: stream ring_read
// (instance 0 outputs, 1 lasers), row = frame id; converters as in devices/front_end.hpp. State: write number and its
// time, clock, and the frames that filters remember.
//
// Parameters and sources. Rings: silicon nitride, radius 100 um, gap 1 um, with the spreads of index, coupling and loss
// of 40 measured rings (sim/optics/ring.hpp). 20 pm/K, 2 mK, 10 s, 1 % heat crosstalk, 1 mW, 1 GS/s: assumed. Weight
// banks: A. N. Tait et al., Sci. Rep. 7, 7430 (2017). Monitor noise 0.002 and dither error 5e-5 rad: assumed; they
// leave 10 bits, where 9 are reported with dithering (W. Zhang et al., Optica 9, 579 (2022)). Energies:
// sim/detection/component_energy.hpp; lasers give power_w of every channel to every bank all the time, also while
// weights are set, and modulators carve it. A measured round of the controller takes a frame per input, and sets the
// DACs of all heaters.
// Validity: no dispersion over the free spectral range, symbol rate below the linewidth of the rings (above it is
// refused: their group index is that of the measured ones), drop bus without return coupling, powers below thermal
// bistability, dither too small to be seen in the weights.
#include "driver/api/registry.hpp"

namespace lightloop::ring_bank {

DeviceModel model();

}  // namespace lightloop::ring_bank
