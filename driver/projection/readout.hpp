#pragma once
// How exposures of one binary pattern become numbers. A read-out is a list of shots with a coefficient each; what a
// camera pixel contributes is sum_n c_n I_n, which every read-out makes linear in the field H b of the pattern.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// One exposure of a pattern: what is on beside it, and how much its code counts.
struct Shot {
  bool anchor = false;      ///< the extra macro-pixels after the inputs are on
  bool reference = false;   ///< the reference arm's shutter is open
  std::uint16_t phase = 0;  ///< code of the reference phase
  float real = 0, imaginary = 0;
};

struct Readout {
  enum class Kind { intensity, anchor, phase };
  Kind kind = Kind::anchor;
  int steps = 0;            ///< phase steps
  std::vector<Shot> shots;  ///< shown side by side, in this order
  /// Real numbers per pixel: phase stepping gives real and imaginary part, the others one.
  Index parts() const { return kind == Kind::phase ? 2 : 1; }
};

/// Reads "anchor", "intensity" or "phaseN" (N 3..16) into kind and steps, without shots; throws UnknownName or
/// OutOfRange.
Readout parse_readout(const std::string& text);

/// One plain exposure: I_b = |Hb|^2.
std::vector<Shot> intensity_shots();

/// Holography-free read-out: L = I_{b+r} - I_b with r a fixed pattern ("anchor") of other macro-pixels.
///
/// L - L_empty = 2 Re(Hb conj(Hr)) for any always-on background, so with L_empty subtracted and divided by |Hr| it is
/// real, linear in b, Gaussian and independent over pixels with variance 2 |b|^2 / grains. When the weights of the
/// patterns of a row add up to zero (ternary e+ - e-), L_empty cancels. Source: Ohana et al., Opt. Express 31, 25881
/// (2023) for the idea.
std::vector<Shot> anchor_shots();

/// Phase stepping: `steps` exposures with the reference at 2 pi n / steps.
///
/// I_n = A + 2 Re(z) cos(theta_n) + 2 Im(z) sin(theta_n) with z = Hb conj(r); the coefficients are those of the least
/// squares fit at the angles the phase codes really have (2 pi code / 2^bits), so that a phase step that is no whole
/// number of codes does no harm. They add up to zero: dark level and |Hb|^2 cancel. On exact angles z =
/// (1/N) sum_n I_n exp(i theta_n).
std::vector<Shot> phase_shots(int steps, int phase_bits);

/// The `count` of the pixels to keep, by the brightness of the anchor on each; ascending pixel numbers.
///
/// Too dark a pixel divides noise by a small |Hr|, too bright a one forces a short exposure on all others. Kept is the
/// run of neighbours in rank that minimises mean(1 + 2 S / R) (sqrt(R_max) + 3 sqrt(S))^2: shot noise of I_{b+r} + I_b
/// over the signal, for an exposure that the brightest kept pixel fills; S is the mean |Hb|^2 (`signal`), and 3 sqrt(S)
/// its amplitude at a probability of 1e-4. Throws ShapeMismatch when there are fewer than `count` pixels.
std::vector<std::uint32_t> choose_pixels(std::span<const float> anchor, Index count, double signal);

}  // namespace lightloop
