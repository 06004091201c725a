#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/param.hpp"

namespace lightloop::crossbar {

std::vector<ParamInfo> params();
std::map<std::string, Settings> presets();

}  // namespace lightloop::crossbar
