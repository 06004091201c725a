#pragma once
// Balanced detection of two interfering beams, photon by photon.
#include <cstdint>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"
#include "sim/detection/photoreceiver.hpp"

namespace lightloop {

/// Two beams with amplitudes a_j = sqrt(photons_signal) v_j and b_j = sqrt(photons_local) w_j on a splitter, their
/// difference of counts over all j: n+- ~ Poisson(efficiency (sum (a^2 + b^2) / 2 +- visibility sum a b) + dark). The
/// variance of n+ - n- is the number of counted photons, dark ones included.
struct CoherentReceiver {
  double photons_signal = 1, photons_local = 1;
  double efficiency = 1, visibility = 1;
  double dark = 0;       ///< mean dark counts of each detector
  double electrons = 0;  ///< sd of the electrical noise of the difference
  bool counts = true;    ///< false: the mean photon numbers, without shot noise
  double count_sd = 1;   ///< sd of what is counted over that of Poisson counts: of a receiver that does not integrate

  bool noisy() const { return counts || electrons > 0; }
  /// n+ - n- per product v w = 1.
  double gain() const;

  /// y, sums of products v w on entry, becomes (n+ - n- + electrons xi) / gain(), the counts' distance from their mean
  /// times count_sd. signal_norm: sum of v^2; local_norms:
  /// sum of w^2 of every output. work: room for 4 y.size() numbers. Draws columns 2 i, 2 i + 1 of `photons` and column
  /// i of `electrical` at `row`.
  void detect(double signal_norm, std::span<const double> local_norms, const Stream& photons, const Stream& electrical,
              std::uint64_t row, std::span<float> work, std::span<float> y) const;
};

/// Sd of a quadrature y, 1 at a signal of full amplitude, that a balanced pair's electronics adds: the beat with a
/// local oscillator is a difference current 2 R sqrt(P_local P_signal) y, and the receiver's noise S B beside it, so
/// that
///   sd = sqrt(S B) / (2 R sqrt(P_local P_signal)),   S = receiver.floor_density(), R its responsivity.
/// For S = 2 q R P_local, the shot noise of a strong local oscillator, R = q / (h nu) and B = 1 / (2 T), sd^2 would be
/// the vacuum's, 1 / 4 over the photons in T.
double quadrature_noise_sd(const PhotoreceiverModel& receiver, double bandwidth_hz, double local_w, double signal_w);

}  // namespace lightloop
