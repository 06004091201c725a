#include <cmath>

#include "driver/projection/layout.hpp"
#include "driver/projection/projection.hpp"

namespace lightloop {

std::vector<ParamInfo> projection_params() {
  const std::int64_t no = 0;
  return {
      {"encoding", "", std::string("ternary"), 0, 0,
       "How numbers become binary patterns: ternary (2 per row), bitplanes:N (2 N per row), threshold (1)"},
      {"dead_zone", "1", 0.1, 0, 1e30, "Ternary and threshold: magnitudes up to this count as 0"},
      {"full_scale", "1", 0.0, 0, 1e30, "Bit planes: the largest magnitude; 0: that of each row"},
      {"error_feedback", "", false, 0, 0, "Carry what a row's code left out into the next row (an experiment)"},
      {"readout", "", std::string("anchor"), 0, 0,
       "How frames become numbers: anchor (2 per pattern), phaseN (N, needs a reference arm), intensity (1)"},
      {"oversampling", "1", 1.25, 1, 64, "Anchor: pixels measured per output kept"},
      {"anchor_size", "1", no, 0, 1e9, "Anchor: macro-pixels in it; 0: as many as inputs on at once (fill)"},
      {"fill", "1", 0.5, 1e-6, 1, "Part of the inputs on at once at most; exposure is set for it"},
      {"skip_empty", "", true, 0, 0, "Patterns with nothing on cost no frame; off: they are measured and give noise"},
      {"repeats", "1", std::int64_t{1}, 1, 1024, "Exposures averaged per frame"},
      {"exposure", "s", 0.0, 0, 1e3, "Exposure time; 0: found at calibration"},
      {"max_exposure", "s", 0.01, 1e-9, 1e3, "The search for an exposure goes no further"},
      {"saturation", "1", 1e-4, 0, 0.1, "Clipped part of the codes allowed in interference frames"},
      {"gain", "1", 0.0, 0, 1e30, "Fixed factor behind the read-out; 0: measured, so that E[B_ij^2] = 1"},
      {"calibration_frames", "1", std::int64_t{64}, 1, 1e6, "Exposures averaged for offset and dark level"},
      {"seed", "1", no, 0, 9.2e18, "Of the probe patterns"},
  };
}

ParamSet projection_settings(const Settings& settings) {
  ParamSet params("projection", projection_params());
  params.set(settings);
  return params;
}

Layout layout(const ParamSet& params, Index n_in, Index n_out) {
  Layout result;
  result.readout = parse_readout(params.text("readout"));
  result.on = std::max<Index>(1, std::lround(params.real("fill") * static_cast<double>(n_in)));
  result.pixels = n_out;
  if (result.readout.kind == Readout::Kind::phase) result.pixels = (n_out + 1) / 2;
  if (result.readout.kind == Readout::Kind::anchor) {
    result.pixels = static_cast<Index>(std::ceil(params.real("oversampling") * static_cast<double>(n_out)));
    // As bright as the fullest pattern: a brighter anchor gains a little on shot noise and loses on all noise that is
    // proportional to light, such as vibration.
    result.anchor = params.integer("anchor_size") > 0 ? params.integer("anchor_size") : result.on;
  }
  result.inputs = n_in + result.anchor;
  return result;
}

Settings sizes_for_projection(const std::vector<ParamInfo>& device_params, const Settings& user,
                              const Settings& projection, Index n_in, Index n_out) {
  const Layout needed = layout(projection_settings(projection), n_in, n_out);
  Settings sizes;
  for (const ParamInfo& info : device_params) {
    if (user.contains(info.name)) continue;
    if (info.name == "input.size") sizes[info.name] = static_cast<std::int64_t>(needed.inputs);
    if (info.name == "output.size") sizes[info.name] = static_cast<std::int64_t>(needed.pixels);
  }
  return sizes;
}

}  // namespace lightloop
