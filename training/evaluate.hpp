#pragma once
// Scores a trained network on labelled data.
#include <functional>
#include <limits>
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
  /// Fraction of the labels that count whose logit is the largest; NaN for real targets.
  double accuracy = 0;
  double loss = 0;                                        ///< mean per label, or per sample of real targets
  double auc = std::numeric_limits<double>::quiet_NaN();  ///< area under the ROC curve; of two classes only
  Index samples = 0;                                      ///< labels that count
};

/// Throws ShapeMismatch where features or classes of the data do not fit the net, InvalidParameter for no data.
/// With a rule its scores stand in for the logits, in the loss too. Real targets are scored by |a - t|^2 / 2, whatever
/// `loss` says.
Evaluation evaluate(const Network& net, const Dataset& data, Loss loss = Loss::cross_entropy, Rule* rule = nullptr);
/// How many of `all` samples a forward pass in memory is given at a time: few where a model keeps much of each, all
/// nodes of a graph.
Index samples_at_once(const Network& net, Index all);
/// Leaves the rule's scores of x, samples numbered from `first_sample`, where a forward pass leaves logits:
/// out.h.back().
void answer_by_rule(Rule& rule, const Network& net, View<const float> x, std::uint64_t first_sample, Activations& out);
/// The rule `name` as it answers for a trained network, or null where the logits do. `settings` and `own` (the rule's
/// parameters) are those of the run; `layers` and `map` as in RuleContext. Throws Unsupported for layers that the rule
/// does not heed, ShapeMismatch for another number of parameters.
std::unique_ptr<Rule> answering_rule(const Network& net, const std::string& name, const Settings& settings,
                                     std::uint64_t seed, std::span<const float> own, LayerProducts* layers = nullptr,
                                     PhysicalMap map = {});
/// A forward pass of another kind: leaves what `forward` of network.hpp leaves, x lying in out.h[0] already. Its rows
/// are samples of the data from number `first_sample` on (LayerPass::first_sample).
using ForwardPass = std::function<void(View<const float> x, std::uint64_t first_sample, Activations& out)>;
/// The same with another forward pass, asked for `batch` samples at a time.
Evaluation evaluate(const Network& net, const Dataset& data, Loss loss, const ForwardPass& pass, Index batch);
/// Checks data that came from a caller: `targets` labels per row, below `classes`; every value finite. Throws
/// ShapeMismatch, OutOfRange, InvalidParameter.
void check_data(const Dataset& data);
/// Throws ShapeMismatch as `evaluate` does, before any work.
void check_fit(const Network& net, const Dataset& data);

}  // namespace lightloop
