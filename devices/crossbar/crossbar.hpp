#pragma once
// sim:crossbar: an analog crossbar (phase-change, resistive or photonic weight memory) as a programmable matrix layer.
//
// Equations. Every cell is a differential pair of conductances; signed quantities are codes around a middle code
// c0 = 2^(bits-1), so that code c stands for (c - c0) / c0 in [-1, 1).
//   v_j  = (x_j - c0) / c0                                  DAC: voltage over its full scale
//   z_i  = sum_j w_ij v_j - ir_drop c(a_i) sum_j w_ij v_j (1 - (1 - j/n)^2)
//          a_i = n kWire sum_j s_ij |v_j|,  c(a) = a (0.05 a^2 - 0.2 a + 0.5),  s_ij = (g+ + g-) / g_max
//   y_i  = (1 - voltage_offset xi_i) z_i + sqrt(V_i) xi
//   code_i = clip(round(c0 + c0 y_i / adc.range), 0, 2^bits - 1)       clipped codes are counted as saturated
// with the stages of devices/front_end.hpp before v and behind y: levels, input and output noise, s_shape, asymmetry.
// With detector.noise = true the transimpedance amplifiers are real: V_i has S B / cell.current_a^2 more, S = 4 k T /
// detector.load_ohm (the feedback resistor) + amplifier^2, B = detector.bandwidth_hz, by default 1 / (2 frame_s), that
// of an integrator over the frame. They take energy then. No filter: cells and amplifiers settle within a frame. The
// transposed pass drives the outputs and reads the inputs: the same with w_ji, own noise. Before the first program()
// the memory is erased: w = 0.
//
// Read noise arrives at the output exactly as if every cell were redrawn for every frame: independent errors of
// variance q_ij on w_ij add V_i = sum_j q_ij v_j^2, independent between rows because no two share a cell. read_law says
// which:
//   additive q = read_noise^2;  pcm_read q = read_noise^2 s_ij;  device: that of the cell model at the cell's age.
//
// Cells (cell.kind). gaussian: w = code + programming_error xi, s = |w|. phase_change, state_independent: both devices
// of a pair are written, |code| g_max on one and 0 on the other, both with the error of the model and never below 0,
// and both stay for good: each keeps what was written and its own drift exponent nu, g(t) = g ((t + t0) / t0)^-nu.
// phase_change: sim/memory/phase_change.hpp. state_independent: error 0.2 uS of 25, nu = |N(0.1, 0.05)|, t0 = 20 s; no
// read noise of its own. resistive: sim/memory/resistive.hpp, of 40 uS; every device relaxes from what was written in a
// direction of its own, for two days at most. In all pairs a part cell.stuck_off of the devices stays at 0 and
// cell.stuck_on at g_max (preset reram: 0.1 % each, the rate assumed by MNSIM 2.0, 2023). t is the device's clock since
// the last write. The clock is clock_s plus frame_s for every frame; it can be set forward to any time, and back by
// restoring a snapshot, because trajectories are functions of time; conductances follow it in 128 steps per doubling of
// t + t0, which is 0.06 % of them at most for nu = 0.1.
//
// constant_step, soft_bounds: one cell per weight that is moved by pulses (sim/memory/pulsed.hpp). With program.mode =
// weights it is erased, given the pulses a nominal cell would need, and read back, eight times over; with pulses the
// codes are numbers of pulses, code - c0 of them from where every cell is: an update for learning on the device. s =
// |w|. The cost of program() is that of the pulses last sent, row after row; before the first write, of those that
// write nominal cells to half of their range, one of every row to its end.
//
// pulse.pair = true: a weight is the difference of two such cells, w = g+ - g-, both from 0 to their bounds
// (sim/memory/pulsed_pair.hpp), and s = g+ + g-. Pulses up raise g+, pulses down g-; nothing lowers them but erasing (a
// pulse each). So a pair wears: with the common part c = min(g+, g-) it holds weights up to 1 - c, soft bounds move by
// step (1 - g), and a pair at both bounds does not move. Behind every programme of pulses pairs with c >= pulse.refresh
// are refreshed: what they hold is read, both sides are erased (two pulses, and one more in the row's time), and it is
// written again by pulses and reading back, seven times over, into one side, to about a pulse. The pulses are counted
// in the cost of that program(). A side whose own bound lies below pulse.refresh never lets its pair come to that
// (bound_spread = 0.3 and 0.25: one in 160). Programming with weights erases all pairs first.
//
// Programme: output.size x input.size codes, row by row (one row per output).
//
// Randomness. Programming: stream crossbar_programming, row = write number * output.size + i, column = j, redrawn with
// every write (instance 0 gaussian cells and pulses, for these row = (8 write number + round) * output.size
// + i, rounds of a refresh from 1 on; 1, 2 written g+, g-; 3, 4 their exponents or ways). State: the codes as last
// written, write number, clock, time of the last write; trajectories follow from these bit by bit. With pulsed cells
// the weights themselves instead of the codes, of pairs g+ and g-. Fabrication: stream crossbar_fabrication (instance
// 0, offsets: row 0 forward, 1 transposed; instance 1: pulsed cells, or g+ of pairs; 4: their g-; 2, 3: which g+, g-
// are stuck, row = output). Read: stream crossbar_read (instance 0 forward, 1 transposed; of the front end 2, 3 input
// noise; 4, 5 output noise of its own), row = frame id, column = output or input; rounding as in devices/front_end.hpp.
//
// Parameters and sources: 8-bit converters, range 10, output noise 0.04 and read noise 0.0175 as in the
// "standard hardware-aware training" preset of Rasch et al., Nat. Commun. 14, 5282 (2023), which has read_law =
// pcm_read and ir_drop = 1 beside them (preset=hwa). kWire = 0.35 ohm * 5 uS, the same. Programming error 0.038: 0.95
// uS of 25 uS, the measured phase-change device at half conductance, Joshi et al., Nat. Commun. 11, 2473 (2020). 130 ns
// a frame: assumed, the order of published 8-bit phase-change cores. Receivers: 5 uA from 25 uS at 0.2 V; 10 kohm takes
// 50 uA of a range of 10 to half a volt (assumed). Energies: see crossbar.cpp. Validity: the polynomial of the IR drop
// was fitted for a up to about 1; it is no circuit solution. 1/f read noise is drawn white, frame by frame.
#include "driver/api/registry.hpp"

namespace lightloop::crossbar {

DeviceModel model();

}  // namespace lightloop::crossbar
