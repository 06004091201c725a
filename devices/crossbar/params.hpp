#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/param.hpp"

namespace lightloop::crossbar {

inline constexpr double kFrameS = 130e-9;  ///< a product: assumed, the order of published 8-bit phase-change cores

std::vector<ParamInfo> params();
std::map<std::string, Settings> presets();

}  // namespace lightloop::crossbar
