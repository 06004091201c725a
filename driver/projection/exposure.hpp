#pragma once
// Finds the exposure a read-out is then held at.
#include <functional>

#include "driver/api/session.hpp"

namespace lightloop {

/// At most this many exposures are tried in one search.
inline constexpr int kExposureTrials = 14;

struct ExposureRange {
  double present_s = 0, min_s = 0, max_s = 0;
  bool settable() const { return max_s > min_s; }
};

/// The setting camera.exposure of the device; not settable where there is none or where it needs a re-open.
ExposureRange exposure_range(Session& session);
/// Sets camera.exposure unless it is so already.
void set_exposure(Session& session, double exposure_s);

struct ExposureFound {
  double exposure_s = 0;
  bool at_min = false;  ///< still too bright at the shortest exposure
  bool at_max = false;  ///< not too bright at the longest allowed
};

/// Leaves the device at the longest exposure up to max_s, to 3 %, that `too_bright` does not refuse, and says which.
///
/// `too_bright` measures at the exposure just set; it must be monotone up to noise. Starting at the present exposure
/// the limit is first enclosed by factors of four, then the logarithm is halved.
ExposureFound search_exposure(Session& session, double max_s, const std::function<bool()>& too_bright);

/// Full scale over mean that loses least to rounding and clipping together when light is distributed exponentially
/// (speckle): 8.6, 11.2, 13.7, 16.3 at 6, 8, 10, 12 bits, by the line through these (minimum of Delta^2 / 12 plus the
/// clipped tail). It clips exp(-11.2) = 1.4e-5 at 8 bits.
double full_scale_over_mean(int bits);

}  // namespace lightloop
