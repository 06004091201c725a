#pragma once
// A binary mirror array in front of a scattering medium, reduced to what the camera can tell apart.
#include "core/array.hpp"

namespace lightloop {

/// The mirror array as built and as formatted.
struct Dmd {
  Index mirrors = 1039680;      ///< mirrors of the chip (912 x 1140 for a DLP4500)
  Index mirrors_per_input = 0;  ///< mirrors that show one input bit; 0: as many as fit
  bool padding_on = false;      ///< mirrors that show no input are all on (LightOn's formatting) or all off
  double off_contrast = 0;      ///< power of an off mirror over that of an on mirror
};

/// What a formatted array does to the field behind the medium, in units where one on macro-pixel has E|H_ij|^2 = 1.
///
/// An input bit is k mirrors, each with a field of variance 1/k, so their sum is one transmission-matrix entry and the
/// mirrors need never be drawn. With a = sqrt(off_contrast), the field is
///   s = sum_i H_i (x_i + a (1 - x_i)) + b = contrast * H x + leak * sum_i H_i + b,   contrast = 1 - a, leak = a,
/// where b, the sum over all padding mirrors, is one circular Gaussian of variance background_power.
struct DmdField {
  Index mirrors_per_input = 0;
  double contrast = 1, leak = 0;
  double background_power = 0;
  double input_share = 0;  ///< part of the whole array's light that one input carries: mirrors_per_input / mirrors
};

/// Throws OutOfRange when `inputs` do not fit on the mirrors, naming both numbers.
DmdField format_dmd(const Dmd& dmd, Index inputs);

}  // namespace lightloop
