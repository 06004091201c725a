#pragma once
// How the network of a run answers.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "training/evaluate.hpp"

namespace lightloop::python {

/// By the scores of a rule, or by its logits where `rule` is empty or answers by them.
struct BoundAnswer {
  std::string rule = {};
  Settings settings = {};  ///< the rule's
  std::uint64_t seed = 0;
  std::vector<float> own = {};  ///< the rule's parameters

  /// As answering_rule(), which must not outlive `net` and `layers`.
  std::unique_ptr<Rule> on(const Network& net, LayerProducts* layers) const {
    return rule.empty() ? nullptr : answering_rule(net, rule, settings, seed, own, layers);
  }
};

}  // namespace lightloop::python
