#pragma once
#include <memory>

#include "core/param.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::crossbar {

/// y = clip(c0 + c0 W v / adc.range) in real numbers, W and v as in crossbar.hpp without programming error or noise. A
/// clipped output passes no gradient. Starts erased (W = 0).
std::unique_ptr<Twin> make_twin(const ParamSet& params);

}  // namespace lightloop::crossbar
