#include "sim/optics/dmd.hpp"

#include <cmath>

#include "core/error.hpp"

namespace lightloop {

DmdField format_dmd(const Dmd& dmd, Index inputs) {
  const Index fit = inputs > 0 ? dmd.mirrors / inputs : 0;
  const Index k = dmd.mirrors_per_input > 0 ? dmd.mirrors_per_input : fit;
  if (k < 1 || k * inputs > dmd.mirrors)
    throw OutOfRange("mirrors needed for the input",
                     std::to_string(inputs) + " inputs of " + std::to_string(k > 0 ? k : 1) + " mirrors",
                     "the array has " + std::to_string(dmd.mirrors), "Use fewer inputs or fewer mirrors per input.");
  DmdField field;
  field.mirrors_per_input = k;
  field.leak = std::sqrt(dmd.off_contrast);
  field.contrast = 1 - field.leak;
  const double padding = static_cast<double>(dmd.mirrors - k * inputs) / static_cast<double>(k);
  field.background_power = dmd.padding_on ? padding : dmd.off_contrast * padding;
  field.input_share = static_cast<double>(k) / static_cast<double>(dmd.mirrors);
  return field;
}

}  // namespace lightloop
