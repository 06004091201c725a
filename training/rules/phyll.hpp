#pragma once
// PhyLL: forward-forward learning around physical maps that nobody has to know.
#include <functional>
#include <memory>

#include "training/rules/rule.hpp"

namespace lightloop {

/// The rule with a map of the caller's; rule.map is then not read. h_l = f(W_l map(h_{l-1} / rms) + b_l).
std::unique_ptr<Rule> phyll_with(const RuleContext& context, PhysicalMap map);

}  // namespace lightloop
