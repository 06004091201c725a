#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/param.hpp"

namespace lightloop::ring_bank {

std::vector<ParamInfo> params();
std::map<std::string, Settings> presets();

}  // namespace lightloop::ring_bank
