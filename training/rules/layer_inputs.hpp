#pragma once
// What the matrices of layers are multiplied with, for rules that make passes of their own.
#include <utility>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// What comes to a layer, or what physics in front of it (RuleContext::map) makes of that: the weights behind learn
/// from what they see. Nothing goes back through the physics.
class LayerInputs {
 public:
  /// `places`: how many inputs are held at once.
  LayerInputs(PhysicalMap map, std::size_t places) : map_(std::move(map)), seen_(map_ ? places : 0) {}
  /// What the matrix of layer `layer` sees of `in`; it stays in `place` until that is used again.
  View<const float> see(Index layer, View<const float> in, std::size_t place) {
    if (!map_) return in;
    seen_[place].resize(in.rows(), in.cols());
    map_(layer, in, seen_[place]);
    return seen_[place];
  }
  bool physical() const { return static_cast<bool>(map_); }
  /// What see() left in `place` of `in`, without asking the physics again.
  View<const float> seen(View<const float> in, std::size_t place) const {
    return map_ ? View<const float>(seen_[place]) : in;
  }

 private:
  PhysicalMap map_;
  std::vector<Matrix<float>> seen_;
};

}  // namespace lightloop
