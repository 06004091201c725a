#include "driver/projection/exposure.hpp"

#include <algorithm>
#include <cmath>

namespace lightloop {
namespace {

constexpr auto kExposure = "camera.exposure";

}  // namespace

ExposureRange exposure_range(Session& session) {
  const ParamSet& settings = session.settings();
  for (const ParamInfo& info : settings.infos())
    if (info.name == kExposure && !info.needs_reopen) return {settings.real(kExposure), info.min, info.max};
  return {};
}

void set_exposure(Session& session, double exposure_s) {
  if (session.settings().real(kExposure) != exposure_s) session.configure({{kExposure, exposure_s}});
}

ExposureFound search_exposure(Session& session, double max_s, const std::function<bool()>& too_bright) {
  ExposureRange range = exposure_range(session);
  range.max_s = std::clamp(max_s, range.min_s, range.max_s);
  double dark = 0, bright = 0;  // enclosing exposures, 0: not known yet
  double now = std::clamp(range.present_s, range.min_s, range.max_s);
  ExposureFound found;
  for (int trial = 0; trial < kExposureTrials; ++trial) {
    set_exposure(session, now);
    (too_bright() ? bright : dark) = now;
    found.at_min = bright == range.min_s;
    found.at_max = dark == range.max_s;
    if (found.at_min || found.at_max) break;
    if (dark > 0 && bright > 0) {
      if (bright < 1.03 * dark) break;
      now = std::sqrt(dark * bright);
    } else {
      now = dark > 0 ? std::min(4 * now, range.max_s) : std::max(now / 4, range.min_s);
    }
  }
  found.exposure_s = dark > 0 ? dark : bright;
  set_exposure(session, found.exposure_s);
  return found;
}

double full_scale_over_mean(int bits) { return 11.2 + 1.28 * (bits - 8); }

}  // namespace lightloop
