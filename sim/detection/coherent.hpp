#pragma once
// Balanced detection of two interfering beams, photon by photon.
#include <cstdint>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"

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

  bool noisy() const { return counts || electrons > 0; }
  /// n+ - n- per product v w = 1.
  double gain() const;

  /// y, sums of products v w on entry, becomes (n+ - n- + electrons xi) / gain(). signal_norm: sum of v^2; local_norms:
  /// sum of w^2 of every output. work: room for 4 y.size() numbers. Draws columns 2 i, 2 i + 1 of `photons` and column
  /// i of `electrical` at `row`.
  void detect(double signal_norm, std::span<const double> local_norms, const Stream& photons, const Stream& electrical,
              std::uint64_t row, std::span<float> work, std::span<float> y) const;
};

}  // namespace lightloop
