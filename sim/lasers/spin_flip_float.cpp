#include "sim/lasers/spin_flip_lanes.hpp"
#include "sim/lasers/spin_flip_make.hpp"
#include "sim/lasers/spin_flip_rates.hpp"
#include "sim/lasers/spin_flip_run.hpp"

namespace lightloop::spin_flip {

std::unique_ptr<Lasers> make_float(const LaserGrid& grid, int lanes) {
  if (lanes == 1) return std::make_unique<LaserLanes<float>>(grid);
  return std::make_unique<LaserLanes<Lanes<float, 16>>>(grid);
}

}  // namespace lightloop::spin_flip
