#pragma once
#include <memory>

#include "core/param.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::tt_rfnn {

/// The train with perfect splitters and no crosstalk, with its losses, phases and codes as real numbers, unclipped.
std::unique_ptr<Twin> make_twin(const ParamSet& params);

}  // namespace lightloop::tt_rfnn
