#pragma once
// Scores a trained network on labelled data.
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/param.hpp"
#include "training/datasets/dataset.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

struct Evaluation {
  double accuracy = 0;  ///< fraction of the samples that count whose largest logit is that of the label
  double loss = 0;      ///< mean per sample
  Index samples = 0;
};

/// Throws ShapeMismatch where features or classes of the data do not fit the net, InvalidParameter for no data.
/// With a rule its scores stand in for the logits, in the loss too.
Evaluation evaluate(const Network& net, const Dataset& data, Loss loss = Loss::cross_entropy, Rule* rule = nullptr);
/// The rule `name` as it answers for a trained network, or null where the logits do. `settings` and `own` (the rule's
/// parameters) are those of the run. Throws ShapeMismatch for another number of parameters.
std::unique_ptr<Rule> answering_rule(const Network& net, const std::string& name, const Settings& settings,
                                     std::uint64_t seed, std::span<const float> own);
/// A forward pass of another kind: leaves what `forward` of network.hpp leaves, x lying in out.h[0] already.
using ForwardPass = std::function<void(View<const float> x, Activations& out)>;
/// The same with another forward pass, asked for `batch` samples at a time.
Evaluation evaluate(const Network& net, const Dataset& data, Loss loss, const ForwardPass& pass, Index batch);
/// Checks data that came from a caller: one label per row, below `classes`; every value finite. Throws ShapeMismatch,
/// OutOfRange, InvalidParameter.
void check_data(const Dataset& data);
/// Throws ShapeMismatch as `evaluate` does, before any work.
void check_fit(const Network& net, const Dataset& data);

}  // namespace lightloop
