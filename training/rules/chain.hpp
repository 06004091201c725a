#pragma once
// The chain template: the error walks back layer by layer through a matrix per layer. W gives back-propagation, a fixed
// random matrix gives feedback alignment.
#include <memory>
#include <span>
#include <vector>

#include "training/rules/return_path.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

/// delta_L = e; delta_l = (delta_{l+1} M_{l+1}) * f'(a_l) for every hidden layer, into delta[l - 1] (m, d_l).
/// M lie in `path`, laid out as Network::parameters(); these themselves are what back-propagation goes through.
/// With `back` that stands for the products with M; with `map_back` what they give goes on through physics.
void walk_back(const Network& net, const Activations& activations, View<const float> error, std::span<const float> path,
               std::vector<Matrix<float>>& delta, const BackPass* back = nullptr, const MapBack* map_back = nullptr);

/// Without `path` M = W.
std::unique_ptr<Rule> chain_rule(RuleInfo info, std::shared_ptr<ReturnPath> path = nullptr);

}  // namespace lightloop
