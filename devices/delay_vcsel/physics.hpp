#pragma once
// sim:delay_vcsel measured on itself. Private to delay_vcsel.
#include <vector>

#include "core/param.hpp"
#include "driver/api/physics.hpp"

namespace lightloop::delay_vcsel {

/// Rows of sim/lasers/laser_measure.hpp beside those of laser_theory.hpp, for the laser of `params` without its loop.
/// Takes a few seconds.
std::vector<PhysicsRow> physics(const ParamSet& params);

}  // namespace lightloop::delay_vcsel
