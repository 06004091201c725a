#pragma once
// A learning rule fills the gradient of one batch. It sees the network, the batch and, if it needs one, a Feedback;
// never a device.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "training/feedback.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"

namespace lightloop {

/// The least a rule needs of a device.
enum class Needs { nothing, fixed_projection, forward_only, two_phases, twin };

/// The record of a rule: `lightloop rules`, --help, docs and tests read it.
struct RuleInfo {
  std::string name;      ///< "dfa"
  std::string summary;   ///< one sentence
  std::string equation;  ///< plain text
  Needs needs = Needs::nothing;
  std::string cost;    ///< device touch per step
  std::string source;  ///< paper, equation
  std::vector<ParamInfo> params;
  std::string encoding = {};  ///< how a binary device shows the signal unless the user says otherwise
  bool signed_signal = true;  ///< what is projected has both signs, so no encoding may drop one
  bool any_layers = false;    ///< trains models of any layers too, not only fully connected networks
};

/// One batch, forward pass already done.
struct RuleBatch {
  const Activations& activations;
  View<const float> error;  ///< e (m, C), per sample, not divided by m
  std::span<const std::uint8_t> labels;
};

/// One learning rule bound to one network shape. Workspaces are its own and are reused.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual const RuleInfo& info() const = 0;
  /// Writes the mean gradient over the batch into `gradient` (layout of Network::parameters()).
  virtual void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) = 0;
  /// Teaching signal delta_l (m, d_l) of each hidden layer from the last gradient() call, rows compacted to
  /// `active_rows`; used for the alignment log. Empty for rules that have none.
  virtual View<const float> teaching_signal(Index /*hidden_layer*/) const { return {}; }
  /// Batch rows whose signal reached the hidden layers in the last call (all of them, or the non-empty ones).
  virtual std::span<const Index> active_rows() const = 0;
  virtual std::vector<std::byte> snapshot() const { return {}; }
  virtual void restore(const std::vector<std::byte>&) {}
};

/// What a rule is made from.
struct RuleContext {
  const Network& net;
  std::uint64_t seed = 0;
  ParamSet params;               ///< the rule's own, checked
  Feedback* feedback = nullptr;  ///< present when needs == fixed_projection and the net has a hidden layer
};

struct RuleModel {
  RuleInfo info;
  std::function<std::unique_ptr<Rule>(const RuleContext&)> make;
};

/// Every rule, in the order of the list in training/CMakeLists.txt.
const std::vector<RuleModel>& rules();
const RuleModel& rule(const std::string& name);  ///< throws UnknownName with the nearest known one

}  // namespace lightloop
