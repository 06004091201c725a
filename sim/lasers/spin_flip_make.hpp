#pragma once
// One source per precision, because they compile slowly. Private to spin_flip.
#include <memory>

#include "sim/lasers/spin_flip.hpp"

namespace lightloop::spin_flip {

std::unique_ptr<Lasers> make_float(const LaserGrid& grid, int lanes);   ///< 1 or 16
std::unique_ptr<Lasers> make_double(const LaserGrid& grid, int lanes);  ///< 1 or 8

}  // namespace lightloop::spin_flip
