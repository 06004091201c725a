#pragma once
// Augmented DFA in networks of any layers.
#include <functional>
#include <memory>
#include <span>

#include "training/rules/rule.hpp"

namespace lightloop {

/// a <- g(a), as rule.gate and rule.gate_scale say.
using Gate = std::function<void(std::span<float>)>;
Gate gate_from(const ParamSet& params);

/// B_b e / sqrt(d) arrives at the end of block b and goes back inside it, through g(a) in place of f'(a) at the last
/// non-linearity (tanh, relu, sigmoid, elu, gelu) of the block and through every other layer by its own derivative.
/// Throws Unsupported for a hidden block without one that is a layer of its own, for nets on a graph and for those that
/// answer token by token, InvalidParameter for a feedback of the wrong size.
std::unique_ptr<Rule> model_adfa(const RuleInfo& info, const RuleContext& context);

}  // namespace lightloop
