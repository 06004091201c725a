#pragma once
// How much of a device a projection takes.
#include "core/param.hpp"
#include "driver/projection/readout.hpp"

namespace lightloop {

struct Layout {
  Readout readout;   ///< kind and steps; no shots yet
  Index on = 1;      ///< inputs on at once at most
  Index anchor = 0;  ///< macro-pixels of the anchor, after the inputs
  Index inputs = 0;  ///< macro-pixels needed in all
  Index pixels = 0;  ///< camera pixels needed
};

/// `settings` checked against projection_params().
ParamSet projection_settings(const Settings& settings);
Layout layout(const ParamSet& params, Index n_in, Index n_out);

}  // namespace lightloop
