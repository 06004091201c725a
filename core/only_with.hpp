#pragma once
// What ParamInfo::only_with says, read in one place.
#include <string>
#include <vector>

#include "core/param.hpp"

namespace lightloop {

/// One part of ParamInfo::only_with: "key=value|value", or "key" alone, a source that the setting's size goes with.
struct Condition {
  std::string key;
  std::vector<std::string> values = {};  ///< empty: whatever it is
  bool holds(const Value& value) const;
};

std::vector<Condition> conditions(const ParamInfo& info);

/// Whether all conditions hold; one that names values of a key unknown to `settings` does not.
bool in_force(const ParamInfo& info, const ParamSet& settings);

}  // namespace lightloop
