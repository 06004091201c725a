#include "sim/lasers/spin_flip_lanes.hpp"
#include "sim/lasers/spin_flip_make.hpp"
#include "sim/lasers/spin_flip_rates.hpp"
#include "sim/lasers/spin_flip_run.hpp"

namespace lightloop::spin_flip {

std::unique_ptr<Lasers> make_double(const LaserGrid& grid, int lanes) {
  if (lanes == 1) return std::make_unique<LaserLanes<double>>(grid);
  return std::make_unique<LaserLanes<Lanes<double, 8>>>(grid);
}

}  // namespace lightloop::spin_flip
