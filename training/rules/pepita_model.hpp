#pragma once
// PEPITA in networks of any layers.
#include <memory>

#include "training/rules/rule.hpp"

namespace lightloop {

/// dW = (h - h') in the place of what arrives at the layer, with what the layer saw in the second pass, for the last
/// layer with weights of every hidden block; h and h' are taken behind that layer and what follows it in its shape
/// (norm, non-linearity), without a derivative of these, as in a fully connected net. Layers of the block below it
/// learn by going back inside the block; norms behind it keep gain and offset. The output block learns from e, which
/// goes back inside it, along the second pass. Dropout is that of the net's own layers, the same units in both passes.
/// Throws InvalidParameter where `rule.dropout` or `rule.recompute` are given, Unsupported where the change alone is to
/// be shown or the first block looks codes up, to which nothing can be added.
std::unique_ptr<Rule> model_pepita(const RuleInfo& info, const RuleContext& context);

}  // namespace lightloop
