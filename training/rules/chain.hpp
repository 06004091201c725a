#pragma once
// The chain template: the error walks back layer by layer through a matrix per layer. W gives back-propagation, a fixed
// random matrix gives feedback alignment.
#include <functional>
#include <memory>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// The matrix (d_{l+1}, d_l) through which layer l + 1's signal goes back to layer l.
using ReturnPath = std::function<View<const float>(const Network& net, Index layer)>;

/// delta_L = e; delta_l = (delta_{l+1} M_{l+1}) * f'(a_l) for every hidden layer, into delta[l - 1] (m, d_l).
/// With `back` that stands for the products with M.
void walk_back(const Network& net, const Activations& activations, View<const float> error, const ReturnPath& path,
               std::vector<Matrix<float>>& delta, const BackPass* back = nullptr);

/// M = W: what back-propagation uses, and what alignment is measured against.
View<const float> own_weights(const Network& net, Index layer);

std::unique_ptr<Rule> chain_rule(RuleInfo info, ReturnPath path);

}  // namespace lightloop
