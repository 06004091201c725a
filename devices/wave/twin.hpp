#pragma once
#include <memory>

#include "core/param.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::wave {

/// The system as it was measured: codes as real numbers, no noise, no clipping, and nothing of a perturbation.
std::unique_ptr<Twin> make_twin(const ParamSet& params);

}  // namespace lightloop::wave
