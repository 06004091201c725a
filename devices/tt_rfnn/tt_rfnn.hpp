#pragma once
// sim:tt_rfnn: a large matrix as a train of small interferometer networks, between which switches reshape the signal.
//
// Equations. The matrix is a tensor train (core/tensor_train.hpp) of tt.cores cores of rank tt.rank. The inputs' size
// is split into factors n_1 .. n_d, the outputs' into m_1 .. m_d, as evenly as their primes allow (balanced_factors).
// Core k is a network from n_k r_k to r_(k-1) m_k channels, two meshes with attenuators between them as in
// sim:mzi_mesh:
//   G_k = U_k diag(sin(a / 2)) V_k
// Signals are amplitudes of a carrier. The last core meets the inputs first; it is used once for every value of all
// other indices, n_1 .. n_(k-1) m_(k+1) .. m_d times for core k, and a matrix of switches hands the results to the next
// core in their new order, losing switch_loss of the power:
//   y = Re(W v) (1 - switch_loss)^((d - 1) / 2),   W = the train's matrix,   v = (x - c0) / c0
//   code = clip(round(c0 + c0 y / adc.range), 0, 2^bits - 1)          clipped codes are counted as saturated
// with the stages of devices/front_end.hpp before v and behind y. Where the carrier is light (trains of optical meshes:
// X. Xiao et al., APL Photonics 6, 126107 (2021)), detector.noise and laser.rin_hz add the noise of balanced pairs as
// devices/detector.hpp has it, for a signal of power_w at full amplitude; detector.bandwidth_hz is by default that of
// an integrator over one use of a core. Shot noise (1 mW in 10 ns are 8e7 photons) comes with detector.shot. Behind the
// filter of detector.order an output stays for a frame (assumed), and receivers settle as in sim:mzi_mesh. The
// transposed pass sends signals backwards through the same networks: W^T.
//
// Programme: phases as DAC codes, core by core (the first core first), each in the order of core/mesh_codes.hpp. Before
// the first program() nothing passes. Splitter errors, phase errors, crosstalk between shifters, loss and their
// correction act in every core as in sim:mzi_mesh; the cores are the same hardware every time they are used.
//
// Randomness. Streams mesh_fabrication (instances 2 k and 2 k + 1: V and U of core k), mesh_programming (instance k) as
// in sim:mzi_mesh, and mesh_read (instance 2 forward, 3 transposed), row = frame id; intensity noise and converters as
// in sim:mzi_mesh. State: the write number, and the frames that filters remember.
//
// Parameters and sources: tensor-train interferometer networks for radio frequencies: Sui et al., ICCAD 2023 (arXiv
// 2312.10343), of which only the abstract was at hand: all numbers here are assumed, among them 10 ns for each use of a
// core and its switches, 0.5 dB loss and 1 pJ per switched channel, 0.1 mW to hold a phase of pi, in
// proportion to the phase. Number of parameters sum
// r_(k-1) m_k n_k r_k. Validity: one frequency, no reflections, signals held between uses without loss or noise.
#include "driver/api/registry.hpp"

namespace lightloop::tt_rfnn {

DeviceModel model();

}  // namespace lightloop::tt_rfnn
