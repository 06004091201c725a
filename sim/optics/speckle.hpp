#pragma once
// From fields on speckle grains to the light that a camera pixel collects.
#include <span>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// Shares w_g of a pixel's light for a mean number M >= 1 of speckle grains per pixel, not necessarily whole.
///
/// ceil(M) grains, all but the last of equal share, chosen so that sum w = 1 and sum w^2 = 1/M: independent grains then
/// have contrast exactly 1/sqrt(M) (Goodman's M), and for whole M the intensity is Gamma(M, mean/M). For other M the
/// contrast is exact and the law is that of a sum of unequal exponentials. Throws OutOfRange for M < 1.
std::vector<float> grain_weights(double mean_grains);

/// Replaces a part of the field by fresh random field of the same mean power, as vibration does within one frame.
///
/// With s = constant + gain field, s becomes sqrt(1 - jitter^2) s + jitter sqrt(mean_power) n, where n (`normal`,
/// standard normal reals) is circular Gaussian with E|n|^2 = 1: repeats of a frame then have field correlation 1 -
/// jitter^2. The change is made in `field`; gain must not be 0.
void jitter_field(double jitter, double mean_power, std::span<const float> constant, float gain,
                  std::span<const float> normal, std::span<float> field);

/// A plane reference beam: its field on each pixel, the same on all grains of the pixel (assumed: flat over a pixel).
struct ReferenceField {
  std::span<const float> re, im;       ///< (pixels); empty: no reference
  float cos_phase = 1, sin_phase = 0;  ///< of the phase setting: the field is multiplied by exp(+i phase)
};

/// intensity[p] = sum_g w_g |constant[g,p] + gain field[g,p] + reference[p]|^2.
///
/// `field` and `constant` hold 2 * grains planes of `pixels` values, in the order (grain 0 re, grain 0 im, grain 1 re,
/// ...). `intensity` may be the first plane of `field`.
void pixel_intensity(std::span<const float> weights, std::span<const float> field, std::span<const float> constant,
                     float gain, const ReferenceField& reference, std::span<float> intensity);

}  // namespace lightloop
