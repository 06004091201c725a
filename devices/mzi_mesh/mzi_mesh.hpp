#pragma once
// sim:mzi_mesh: a matrix held by two meshes of Mach-Zehnder interferometers with attenuators between them, read by
// homodyne detection.
//
// Equations. Optical fields are real (field.kind = real, one code per channel: a signed amplitude in, the in-phase
// quadrature out) or complex (two codes per channel: all real parts, then all imaginary parts). Codes stand for
// (c - c0) / c0, c0 = 2^(bits - 1).
//   E_in = v,  E_out = W v,  W = U diag(sin(a_k / 2)) V,  U and V meshes as in core/mesh.hpp
//   y = (1 + sqrt(laser.rin_hz B) / 2 xi) E_out + sd xi (each quadrature),  sd^2 = 1 / (4 photons) + sd_receiver^2
//   code = clip(round(c0 + c0 y / adc.range), 0, 2^bits - 1)        clipped codes are counted as saturated
// with the stages of devices/front_end.hpp before v and behind y. sd_receiver: load, amplifier and dark current of the
// balanced pairs where detector.noise is on, for a signal of P_s = photons h nu / frame_s; devices/detector.hpp has the
// equations, what the laser's intensity noise does, and the filter of detector.order, a symbol a frame. B is by default
// 1 / (2 frame_s), that of an integrator over the frame, for which the vacuum's noise holds; behind a filter that has
// 2 B frame_s times the variance. Receivers have settled in the dark before the first frame, after program() and
// reset(), and those of one pass after frames of the other. More photons lower both noises. photons: mean number in
// one frame of a channel at full amplitude; 1 / 4 is the vacuum's variance of a quadrature, the standard
// quantum limit of a strong local oscillator. The transposed pass sends light backwards: W^T, by reciprocity.
//
// Programme: phases as DAC codes, n^2 + min(m, n) + m^2 of them (butterfly: n (log2 n + 1) in
// the place of n^2; core/mesh_codes.hpp): V, attenuators, U. A code is the
// phase range * fraction (phase.law = linear) or range * fraction^2 (voltage: heat goes with its square), fraction =
// code over the highest code. Before the first program() everything is at 0: the attenuators let nothing through.
//
// The chip. Both splitters of every interferometer are off by splitter_error xi (fabrication). Every interferometer
// passes sqrt(1 - loss) of a field. A shifter's heat reaches its four neighbours on the grid with the fraction
// `crosstalk`. A phase that is set has an error phase_error xi (programming). The controller knows the chip's splitters
// and crosstalk from its factory calibration, and with correction = splitters, heat or all it changes the phases it was
// given before it rounds them to its DAC's steps again (sim/optics/interferometer_mesh.hpp). Attenuators are push-pull:
// they turn no phase, and stand apart from the meshes' heat. The twin is the perfect chip; with monitors = true (and
// correction = none) it is this one, splitters and heat as they are, without the phases' errors: its gradients are
// those that power monitors at every shifter measure (T. W. Hughes et al., Optica 5, 864 (2018)), and where phases
// learn each sample takes the three frames of the measurement, with the monitors' noise
// (devices/mzi_mesh/monitors.hpp).
//
// Randomness. Fabrication: stream mesh_fabrication (instance 0 V, 1 U; row 0 alpha, 1 beta). Programming: stream
// mesh_programming (row = write number, column = place in the programme). Read: stream mesh_read (instance 0 forward, 1
// transposed), row = frame id, column = output; purpose 67 (same instances), row = frame id: intensity noise;
// purpose 68 (instance 0), row = sample, column = place in the programme: monitors;
// converters as in devices/front_end.hpp. State: the write number, and the frames that filters remember.
//
// Parameters and sources: splitters 0.01 rad, phases 5 mrad after calibration: the better end of what is reported; loss
// 0.1 dB per interferometer, crosstalk 0.01, no electrical noise of monitors, 1e6 photons, electrical noise 0.002, 1 ns
// a frame: assumed. Heaters 30 mW per pi of the phases that are set (the attenuators' too) and 10 us to settle: the
// figures of the SimPhony energy model, as are the converters' energies. Latencies: sim/detection/component_latency.hpp
// (interferometers of 0.3 mm, assumed). The local oscillator's light counts where detector.noise is on. Decomposition:
// W. R. Clements et al., Optica 3, 1460 (2016). Homodyne noise: R. Hamerly et al., Phys. Rev. X 9, 021032 (2019).
// Validity: one wavelength, one polarisation, no reflections, crosstalk linear; the detectors' two quadratures are
// measured in two runs of the same light (no splitting loss).
#include "driver/api/registry.hpp"

namespace lightloop::mzi_mesh {

DeviceModel model();

}  // namespace lightloop::mzi_mesh
