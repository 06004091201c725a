#pragma once
// When a drifting medium moves: Ornstein-Uhlenbeck correlation on a fixed grid of device time.
#include <cmath>
#include <cstdint>

namespace lightloop {

/// Field correlation rho(tau) = exp(-tau / drift_time), advanced in steps of step_fraction * drift_time.
///
/// The medium of a frame is that of the grid step its time falls into, so it depends on the frame's time alone and not
/// on how frames are cut into batches; within one step the field correlation moves by step_fraction. Jumping over
/// several steps at once is exact in law. drift_time 0 means never.
struct MediumDrift {
  double drift_time_s = 0;
  double step_fraction = 1e-3;

  bool on() const { return drift_time_s > 0; }
  std::uint64_t step_at(std::int64_t time_ns) const {
    return on() ? static_cast<std::uint64_t>(static_cast<double>(time_ns) * 1e-9 / (step_fraction * drift_time_s)) : 0;
  }
  double correlation(std::uint64_t steps) const { return std::exp(-static_cast<double>(steps) * step_fraction); }
};

}  // namespace lightloop
