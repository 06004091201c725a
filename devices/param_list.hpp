#pragma once
// A device's parameters in the order of their documentation, from lists that devices share and its own.
#include <initializer_list>
#include <vector>

#include "core/param.hpp"

namespace lightloop {

inline std::vector<ParamInfo> param_list(std::initializer_list<std::vector<ParamInfo>> parts) {
  std::vector<ParamInfo> all;
  for (const std::vector<ParamInfo>& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace lightloop
