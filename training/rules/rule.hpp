#pragma once
// A learning rule fills the gradient of one batch. It sees the network, the batch and, if it needs one, a Feedback;
// never a device. docs/adding_a_rule.md shows how to write one.
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "training/feedback.hpp"
#include "training/layer_products.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"
#include "training/rules/touch.hpp"

namespace lightloop {

/// The least a rule needs of a device.
enum class Needs { nothing, fixed_projection, forward_only, two_phases, twin };
std::string to_string(Needs needs);  ///< "fixed projection"

/// How many outputs the fixed projection of the error must have.
enum class ProjectTo { widest_hidden, input };

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
  ProjectTo projects_to = ProjectTo::widest_hidden;
  bool masks = false;         ///< heeds RuleBatch::counts: learns nothing from labels that do not count
  bool by_error = false;      ///< asks for errors or losses, not for labels: learns tokens and real targets too
  bool tokens = false;        ///< ... or, with by_error false, labels per token though no real targets
  bool real_targets = false;  ///< ... or real targets though no tokens
  bool graph_only = false;    ///< trains networks on graphs alone
  bool own_loss = false;      ///< what it minimises its equation says, whatever train.loss
  bool own_forward = false;   ///< makes its forward passes itself; a batch then brings its input and labels only
  bool trials = false;        ///< ... and these are of the network at other weights, which devices can make too
  bool programmes = false;    ///< ... or at other programmes of these devices, about which it asks nothing
  bool goes_back = false;     ///< sends signals back through the forward weights, or the way that stands for them
  bool own_answer = false;    ///< may answer in its own way: see Rule::scores
  bool keeps_net = false;     ///< leaves the network's weights as they were drawn
  bool on_layers = false;     ///< ... and own passes may run on devices: it heeds RuleContext::layers
  bool in_features = false;   ///< shows labels in place of the first features: rule.label_features for each class
  bool one_hot = false;       ///< projects one-hot labels: C columns serve all steps, and a device shows only these
  bool maps = false;          ///< trains networks with physics in front of their layers
  bool crosses_maps = false;  ///< ... and sends signals back from layer to layer: through that physics, by its twin
  std::string no_map = {};    ///< ... and of the others, why not: "the rule ..."
};

/// The way back through layer `layer`: below (m, d_l) = (da_{l+1}/dh_l)^T delta for delta (m, d_{l+1}), a without bias
/// and non-linearity.
using BackPass = std::function<void(Index layer, View<const float> delta, View<float> below)>;

/// What physics does in front of layer `layer` (from 0): rows in -> rows out of the same shape. It is run, never
/// differentiated; it may be a simulation or a device.
using PhysicalMap = std::function<void(Index layer, View<const float> in, View<float> out)>;

/// dx (m, d_l) = (dP/dh)^T dy, P the physics in front of layer `layer` and h what came to it; dy and dx may be one.
using MapBack = std::function<void(Index layer, View<const float> h, View<const float> dy, View<float> dx)>;

/// A forward pass of a network by other means than memory's: as forward() of network.hpp.
using NetworkPass = std::function<void(const Network& net, View<const float> x, Activations& out)>;

/// Told by a rule when layer (block) `layer`'s part of the gradient is complete and the call will not read the layer's
/// parameters again: they change at once. A rule that does not tell has all of them updated after its call.
using LayerDone = std::function<void(Index layer)>;
/// The same with what trials move displaced by `step` along `direction`, where that is not the net's parameters.
using MovedPass =
    std::function<void(std::span<const float> direction, float step, View<const float> x, Activations& out)>;

inline constexpr Index kAllRows = std::numeric_limits<Index>::max();

/// One batch, forward pass already done unless the rule makes its own: then only activations.h[0] and the labels hold.
struct RuleBatch {
  const Activations& activations;
  View<const float> error;  ///< e (m, C), per sample, not divided by m
  std::span<const std::uint8_t> labels;
  Loss loss = Loss::cross_entropy;    ///< what the run minimises
  std::uint64_t step = 0;             ///< steps since the start of training
  std::uint64_t first_sample = 0;     ///< samples since the start of training; row r of the batch is first_sample + r
  Index keep_signals = kAllRows;      ///< how many of its first rows teaching_signal() will be asked for; 0: none
  const NetworkPass* pass = nullptr;  ///< of rules with trials: where these run, and what physics they pass
  const MovedPass* moved = nullptr;   ///< in its place where programmes learn (RuleContext::moved)
  const BackPass* back = nullptr;     ///< instead of the weights in memory, for rules that go back through them
  const MapBack* map_back = nullptr;  ///< for rules that cross maps; null: no physics stands behind the first layer
  /// 1 for rows that count, empty: all. Rows of `error` that do not are zero. Rules divide by all rows nevertheless,
  /// and the trainer makes up for it; one with own_forward reads this itself, and its loss() is the sum over those.
  std::span<const std::uint8_t> counts = {};
  View<const float> values = {};  ///< real targets (m, d_L) in place of labels, where the data have them
  const LayerDone* done = nullptr;

  void tell_done(Index layer) const {
    if (done) (*done)(layer);
  }
  Targets targets() const { return {labels, values, counts}; }
};

/// Parameters that belong to a rule (local heads, feedback nets) and their mean gradient of the last batch.
struct Trainable {
  std::span<float> values;
  std::span<const float> gradient;
};

/// A batch that was run forward in an earlier step.
struct EarlierBatch {
  const Activations* activations = nullptr;  ///< null: there was none yet
  View<const float> error = {};
};

/// One learning rule bound to one network shape. Workspaces are its own and are reused.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual const RuleInfo& info() const = 0;
  /// Writes the mean gradient over the batch into `gradient` (layout of Network::parameters(), or RuleContext::moved).
  virtual void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) = 0;
  /// Teaching signal delta_l (m, d_l) of each hidden layer from the last gradient() call, rows compacted to
  /// `active_rows`, the first RuleBatch::keep_signals of them at least; used for the alignment log. Empty for rules
  /// that have none.
  virtual View<const float> teaching_signal(Index /*hidden_layer*/) const { return {}; }
  /// Batch rows whose signal reached the hidden layers in the last call (all of them, or the non-empty ones).
  virtual std::span<const Index> active_rows() const = 0;
  /// Those that had a signal of their own, counted as labels are: one per token where a sample has several. Fewer than
  /// active_rows() where the rule teaches all rows nevertheless.
  virtual std::span<const Index> shown_rows() const { return active_rows(); }
  /// Of a rule that teaches with a delay: the batch to which teaching_signal() and the gradient of the hidden layers
  /// belong.
  virtual std::optional<EarlierBatch> taught() const { return std::nullopt; }
  /// Waits for what a device is still working at; gradient() goes on from there with the same bits. To be called before
  /// anything else is asked of the feedback, and before snapshot().
  virtual void wait() {}
  /// Cosine per hidden layer (block) between the weights that its signal goes back through and those that
  /// back-propagation would (return_path.hpp). `matrix` (outputs, C) is what the feedback does, empty where nobody
  /// knows. Empty for rules and networks without such.
  virtual std::vector<double> weight_alignment(const Network& /*net*/, View<const float> /*matrix*/) { return {}; }
  /// Parameters of its own: the optimizer of the run updates them after those of the network, run files hold them, a
  /// resume brings them back. Always the same memory; drawn from the seed when the rule is made.
  virtual Trainable own() { return {}; }
  /// Brings own() to what the batches so far say, before it is stored. What gradient() says next does not change.
  virtual void settle() {}
  /// Summed loss of the last batch; asked of rules with own_forward only.
  virtual double loss() const { return 0; }
  /// Mean local loss of each layer that has one, in the last batch.
  virtual std::span<const double> layer_loss() const { return {}; }
  /// The network's state (Network::state) after the last batch, from rules with own_forward that ran its blocks in a
  /// training pass.
  virtual std::span<const float> learned_state() const { return {}; }
  /// Class scores (m, C) of samples x (m, d_0); the largest is the answer. Asked of rules with own_answer; unless the
  /// rule says otherwise these are the logits of the network. Row r is sample first_sample + r: layers with noise draw
  /// it by that place, so that scores do not depend on how samples are cut into batches.
  virtual void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample = 0);
  /// Vectors shown to layers for the scores of one sample.
  virtual Index answer_passes(const Network& net) const { return net.layers(); }
  /// Of what scores() asks, the part at most of any layer on devices, or of the physics in front of it: vectors for one
  /// sample, writes for one call.
  virtual LayerTouch answer_touch(const Network& net) const { return {of_each(net, answer_passes(net)), 0}; }
  /// Of that, the vectors to layer `layer` (from 0), as shown_to_layer().
  virtual Index answers_shown_to_layer(const Network& net, Index /*layer*/) const { return answer_touch(net).vectors; }
  /// Rows that the first pass of gradient() shows to a layer at once, for a batch of `samples`.
  virtual Index rows_at_once(Index samples) const { return samples; }
  /// What gradient() asks at most for a batch of `samples` (the update that follows it is not in it), and what its last
  /// call did ask.
  virtual StepTouch declared(const Network& /*net*/, Index /*samples*/) const { return {}; }
  virtual StepTouch touched() const { return {}; }
  /// Of what gradient() asks, the part at most of any layer on devices, or of the physics in front of it. A rule that
  /// does not ask all layers alike, or whose touch is not all of these, says it itself.
  virtual LayerTouch layer_touch(const Network& net, Index samples) const {
    const StepTouch all = declared(net, samples);
    return {of_each(net, all.passes), of_each(net, all.writes)};
  }
  /// Of the vectors that gradient() shows, at most those to layer `layer` (from 0), for plans of rules whose layers
  /// differ much.
  virtual Index shown_to_layer(const Network& net, Index /*layer*/, Index samples) const {
    return layer_touch(net, samples).vectors;
  }
  /// State beside own(): what a resume needs and the seed does not give.
  virtual std::vector<std::byte> snapshot() const { return {}; }
  virtual void restore(const std::vector<std::byte>&) {}

 private:
  static std::int64_t of_each(const Network& net, std::int64_t all) { return (all + net.layers() - 1) / net.layers(); }
};

/// What a rule is made from.
struct RuleContext {
  const Network& net;
  std::uint64_t seed = 0;
  ParamSet params = {};             ///< the rule's own, checked
  Feedback* feedback = nullptr;     ///< present when needs == fixed_projection, in training
  LayerProducts* layers = nullptr;  ///< where products of layers are made (RuleInfo::on_layers); null: in memory
  PhysicalMap map = {};  ///< where physics stands in front of the layers (RuleInfo::maps); empty: nothing does
  /// Numbers that trials move in the place of the net's parameters, of which gradient() fills the gradient
  /// (RuleInfo::programmes); 0: the net's own.
  Index moved = 0;
  Index parameters() const { return moved > 0 ? moved : static_cast<Index>(net.parameters().size()); }
};

/// Whether physics is in the network, and whether any of it may stand between what learns (of a net of widths any may).
bool has_physics(const RuleContext& context);
bool has_physics_between(const RuleContext& context);

/// The setting "recompute" of rule `name`, which makes passes again instead of keeping their activities. Throws
/// Unsupported where layers, or physics before them, do not repeat themselves: the second pass would not be the one
/// whose loss was measured.
bool recomputes(const std::string& name, const RuleContext& context);

struct RuleModel {
  RuleInfo info;
  std::function<std::unique_ptr<Rule>(const RuleContext&)> make;
};

/// Every rule, in the order of the list in training/CMakeLists.txt.
const std::vector<RuleModel>& rules();
const RuleModel& rule(const std::string& name);  ///< throws UnknownName with the nearest known one

}  // namespace lightloop
