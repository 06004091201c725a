// What a run needs, opened and checked before the first frame.
#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "training/layers/model.hpp"
#include "training/loop.hpp"
#include "training/rules/broadcast.hpp"

namespace lightloop {
namespace {

/// "use bp, dfa, ...": rules of which `what` holds; those of graphs alone only where a graph is there.
template <class What>
std::string use_rules(What what, bool graph) {
  std::string names;
  for (const RuleModel& model : rules())
    if (std::invoke(what, model.info) && (graph || !model.info.graph_only))
      names += (names.empty() ? "use " : ", ") + model.info.name;
  return names;
}

}  // namespace

void TrainingLoop::open_path(const Registry& registry) {
  if (!data_.train.counts.empty() && config_.train.integer("layer_metrics") > 0)
    throw Unsupported("train.layer_metrics on " + data_.train.name,
                      "its samples make one batch, tested and learned from", "",
                      "leave it out: probes want training samples apart from test samples");
  if (!data_.train.counts.empty() && !config_.model->info.masks)
    throw Unsupported("rule " + config_.model->info.name + " on " + data_.train.name,
                      "only some of its samples have labels to learn from, and the rule looks at all", "",
                      use_rules(&RuleInfo::masks, data_.train.graph != nullptr));
  if (config_.model->info.keeps_net && weight_decay_ > 0)
    throw Unsupported("train.weight_decay with rule " + config_.model->info.name,
                      to_string(config_.train.value("weight_decay")), "0: the net's weights stay as they were drawn",
                      "leave it out");
  if (config_.model->info.own_loss && !config_.train.is_default("loss"))
    throw InvalidParameter("train.loss", config_.train.text("loss"),
                           "rule " + config_.model->info.name + " minimises what its equation says (lightloop rules " +
                               config_.model->info.name + ")",
                           "leave it out");
  check_targets();
  const auto& widths = run_.net.widths();
  const bool to_input = config_.model->info.projects_to == ProjectTo::input;
  Index outputs =
      config_.uses_projection() && !to_input ? broadcast_width(run_.net, config_.rule) : run_.net.hidden_layers();
  if (outputs > 0 && to_input) outputs = widths.front();
  if (outputs > 0) {
    path_ = open_feedback(config_, registry, run_.net.classes(), outputs, resumed_);
    if (projects_each_step()) path_.feedback = timed_feedback(std::move(path_.feedback), run_.position.waited_s);
  } else if (const std::string& record = config_.train.text("record");
             !record.empty() && config_.train.text("map").empty() && config_.train.text("layers").empty()) {
    throw InvalidParameter("train.record", record, "net " + run_.net.text() + " has no hidden layer to teach",
                           "no frame will be shown: leave it out, or give the net a hidden layer");
  }
  if (config_.train.boolean("fidelity") && (!path_.projection || path_.measures()))
    throw Unsupported("train.fidelity", "true", "no device projects the error in this run",
                      "leave it out, or give train.device and a rule such as dfa that projects");
}

/// What asks for one label per sample is refused where targets are others.
void TrainingLoop::check_targets() const {
  const Dataset& data = data_.train;
  const bool real = data.values.size() > 0;
  if (data.targets == 1 && !real) return;
  const std::string why = real ? "its targets are real numbers" : "every sample has a label for each of its tokens";
  const auto learns = [real](const RuleInfo& rule) {
    return rule.by_error || (real ? rule.real_targets : rule.tokens);
  };
  if (!learns(config_.model->info))
    throw Unsupported("rule " + config_.model->info.name + " on " + data.name, why, "the rule asks for one label",
                      use_rules(learns, false));
  if (config_.train.integer("layer_metrics") > 0)
    throw Unsupported("train.layer_metrics on " + data.name, why, "probes ask for one label", "leave it out");
  if (real && loss_ != Loss::mse)
    throw Unsupported("train.loss " + config_.train.text("loss") + " on " + data.name, why, "", "give --loss mse");
}

void TrainingLoop::open_layers(const Registry& registry) {
  const std::string& device = config_.train.text("layers");
  if (device.empty()) return;
  const RuleInfo& ruled = config_.model->info;
  if ((ruled.own_forward || ruled.own_answer) && !ruled.trials && !ruled.on_layers)
    throw Unsupported("rule " + ruled.name + " on layers " + device, "the rule makes passes of its own, in memory", "",
                      "use a rule whose passes devices can make: bp, dfa, local, ff, spsa, ...");
  AnalogPlace place{
      .device = device, .settings = {}, .layer = config_.layer, .fixed = ruled.keeps_net, .trials = ruled.programmes};
  if (takes_seed(registry, device)) place.settings["seed"] = config_.train.integer("seed");
  for (const auto& [key, value] : config_.session) place.settings["session." + key] = value;
  layers_ = std::make_unique<AnalogNetwork>(registry, place, run_.net);
  if (layers_->goes_back() && !config_.model->info.goes_back)
    throw Unsupported("layer.backward with rule " + config_.model->info.name,
                      "the rule sends nothing back through the layers", "bp does", "Leave layer.backward at weights.");
  if ((tries_programmes() ? layers_->learns_ranges() : layers_->learns_by_itself()) && ruled.own_forward)
    throw Unsupported("layer.noise_management, output_range or update with rule " + ruled.name,
                      "learned, or programme: the rule has no signals that a device could learn from",
                      "bp, dfa and others do; programmes learn with spsa and pepg too",
                      "Choose another noise management, output range or update.");
  if (layers_->learns_by_itself() && config_.rule.has("delay") && config_.rule.integer("delay") > 0)
    throw Unsupported(
        "layer.noise_management, output_range or update with rule.delay",
        "learned, or programme: the device would learn from the signals of another batch than it has shown", "",
        "Leave rule.delay out, or choose another noise management, output range or update.");
  if (layers_->learns_programme()) check_moves_phases();
  if (tries_programmes()) open_trials();
  if (!run_.layers_state.empty()) layers_->restore(run_.layers_state);
}

/// Phases take Adam's step of Layer::learn_programme(), whatever the settings of the run's own optimizer.
void TrainingLoop::check_moves_phases() const {
  const OptimizerSettings plain;
  const auto refuse = [](const std::string& what, const std::string& value, const char* hint) {
    throw Unsupported(what + " with layer.update = programme", value, "phases move by Adam with its usual constants",
                      hint);
  };
  if (weight_decay_ > 0)
    refuse("train.weight_decay", to_string(config_.train.value("weight_decay")),
           "Leave it out: a phase that is large is no large weight.");
  if (optimizer_.kind != OptimizerKind::adam)
    refuse("train.optimizer", config_.train.text("optimizer"), "Leave it at adam.");
  if (optimizer_.beta1 != plain.beta1 || optimizer_.beta2 != plain.beta2)
    refuse("train.beta1, train.beta2",
           to_string(config_.train.value("beta1")) + ", " + to_string(config_.train.value("beta2")), "Leave them out.");
}

/// Nobody differentiates, and nobody knows what matrix a trial has.
void TrainingLoop::open_trials() {
  const std::string& name = config_.model->info.name;
  compare_if_asked();
  if (alignment_every_ > 0)
    throw Unsupported("train.alignment_every with rule " + name + " and layer.update = programme",
                      to_string(config_.train.value("alignment_every")),
                      "the exact gradient is one of weights, and the rule moves programmes", "leave it out");
  if (config_.train.integer("layer_metrics") > 0)
    throw Unsupported("train.layer_metrics with rule " + name + " and layer.update = programme",
                      to_string(config_.train.value("layer_metrics")), "probes look at layers in memory",
                      "leave it out");
  if (layers_->product(0).settings().text("bound_management") == "worst_case")
    throw Unsupported("layer.bound_management with rule " + name + " and layer.update = programme", "worst_case",
                      "nobody knows the sums of a programme that is tried", "take iterative or none");
  moved_gradient_.resize(1, layers_->moved_parameters());
}

/// Whether the rule's signals go back through physics that stands behind something that learns.
bool TrainingLoop::needs_twin() const {
  const RuleInfo& ruled = config_.model->info;
  return std::ranges::any_of(physical_places(run_.net, config_.train.text("map_at")), [&](const PhysicalPlace& place) {
    return (ruled.crosses_maps && place.block > 0) || (place.behind_weights && !ruled.trials && !ruled.keeps_net);
  });
}

void TrainingLoop::open_map(const Registry& registry) {
  const std::string& device = config_.train.text("map");
  if (device.empty()) {
    if (run_.net.model() && !run_.net.model()->physics().empty())
      throw Unsupported("net " + run_.net.text(), "no device stands for its physical layers", "",
                        "give one as train.map (sim:opu)");
    return;
  }
  Settings settings;
  if (takes_seed(registry, device)) settings["seed"] = config_.train.integer("seed");
  for (const auto& [key, value] : config_.session) settings["session." + key] = value;
  const bool needed = needs_twin();
  // the exact gradient is a twin's to know: only for those who ask
  compare_if_asked();
  const bool aligned = alignment_every_ > 0;
  if (const std::string& twin = config_.train.text("map_twin"); !twin.empty() && !needed && !aligned)
    throw InvalidParameter("train.map_twin", twin,
                           "with rule " + config_.model->info.name + " nothing goes back through this physics",
                           "leave it out");
  const auto open = [&](bool with_twin) {
    MapOptions options = map_options(config_.train);
    options.with_twin = with_twin;
    maps_ = std::make_unique<PhysicalMaps>(registry, device, settings, run_.net, options);
  };
  try {
    open(needed || aligned);
  } catch (const Unsupported& error) {
    if (needed || !aligned) throw;
    open(false);  // what else is wrong comes first
    throw Unsupported("train.alignment_every with train.map", to_string(config_.train.value("alignment_every")),
                      std::string("the exact gradient goes back through a twin; ") + error.what(), "leave it out");
  }
  if (!run_.map_state.empty()) maps_->restore(run_.map_state);
  if (layers_) layers_->stand_behind(maps_.get());
}

std::unique_ptr<Rule> TrainingLoop::new_rule(Feedback* feedback) const {
  return config_.model->make({.net = run_.net,
                              .seed = config_.seed(),
                              .params = config_.rule,
                              .feedback = feedback,
                              .layers = layers_            ? static_cast<LayerProducts*>(layers_.get())
                                        : run_.net.model() ? maps_.get()
                                                           : nullptr,
                              .map = maps_ && !run_.net.model() ? maps_->as_map() : PhysicalMap(),
                              .moved = moved_gradient_.size()});
}

void TrainingLoop::make_rule() {
  rule_ = new_rule(path_.feedback.get());
  const std::span<float> own = rule_->own().values;
  if (run_.own.size() == 0 && !resumed_) {
    run_.own_optimizer = optimizer_state(optimizer_, static_cast<Index>(own.size()));
    if (begun_with_.flat().size() == own.size()) std::ranges::copy(begun_with_.flat(), own.begin());
  } else {
    if (run_.own.flat().size() != own.size())
      throw FileError("train.resume " + config_.train.text("resume"),
                      "rule " + config_.model->info.name + " has " + std::to_string(own.size()) + " parameters",
                      std::to_string(run_.own.size()) + " stored", "The file is damaged; start again");
    std::ranges::copy(run_.own.flat(), own.begin());
  }
  if (!run_.rule_state.empty()) rule_->restore(run_.rule_state);
  if (path_.session && !run_.session.empty()) {
    path_.session->restore(run_.session);
    path_.projection->restore(run_.projection_state);
  }
  if (path_.feedback && !run_.feedback_state.empty()) path_.feedback->restore(run_.feedback_state);
}

}  // namespace lightloop
