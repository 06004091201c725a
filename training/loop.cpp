#include "training/loop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/random.hpp"
#include "training/elementwise.hpp"
#include "training/evaluate.hpp"
#include "training/metrics/layers.hpp"
#include "training/network_for.hpp"
#include "training/rules/broadcast.hpp"
#include "training/rules/trial.hpp"

namespace lightloop {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// "use bp, dfa, ...": rules whose record says `what`; those of graphs alone only where a graph is there.
std::string use_rules(bool RuleInfo::*what, bool graph) {
  std::string names;
  for (const RuleModel& model : rules())
    if (model.info.*what && (graph || !model.info.graph_only))
      names += (names.empty() ? "use " : ", ") + model.info.name;
  return names;
}

}  // namespace

TrainingLoop::TrainingLoop(TrainConfig config, TrainTest data, const Registry& registry, std::optional<RunFile> resumed)
    : config_(std::move(config)), data_(std::move(data)) {
  const ParamSet& train = config_.train;
  if (const Index samples = train.integer("samples"); samples > 0) data_.train = data_.train.some(samples);
  optimizer_ = optimizer_settings(train);
  loss_ = loss_from(train.text("loss"));
  batch_ = data_.train.graph ? data_.train.size() : std::min<Index>(train.integer("batch"), data_.train.size());
  weight_decay_ = static_cast<float>(train.real("weight_decay"));
  epochs_ = train.integer("epochs");
  alignment_every_ = train.integer("alignment_every");
  const std::string validation = data_.validation.size() > 0 ? data_.validation.content_sha256() : "";
  const std::string data_sha256 = sha256(data_.train.content_sha256() + data_.test.content_sha256() + validation);
  resumed_ = resumed.has_value();
  if (resumed) {
    run_ = std::move(*resumed);
    run_.complete = false;
    if (run_.data_sha256 != data_sha256)
      throw InvalidParameter(
          "train.resume " + train.text("resume"), "the data of " + data_.train.name + " are others",
          "SHA-256 " + run_.data_sha256.substr(0, 12) + "… in the run, " + data_sha256.substr(0, 12) + "… now",
          "resume with the data it began with, or start another run with train.init_from");
  } else {
    run_.data_sha256 = data_sha256;
    run_.alphabet = data_.train.alphabet;
    make_network();
  }
  check_fit(run_.net, data_.train);
  check_fit(run_.net, data_.test);
  if (data_.validation.size() > 0) check_fit(run_.net, data_.validation);
  steps_per_epoch_ = (data_.train.size() + batch_ - 1) / batch_;
  const auto done = static_cast<Index>(run_.step_loss.size());
  if (done != run_.position.epoch * steps_per_epoch_ + run_.position.step || run_.position.step >= steps_per_epoch_)
    throw FileError("train.resume " + train.text("resume"), "its position and its curve of the loss disagree", "",
                    "The file is damaged; start again");
  schedule_ = schedule(train, steps_per_epoch_);
  gradient_.resize(1, static_cast<Index>(run_.net.parameters().size()));
  open_path(registry);
  open_layers(registry);
  open_map(registry);
  if (!path_.measures()) make_rule();
  run_.train = config_.train;
  run_.rule = config_.rule;
  for (const auto& [key, value] : config_.projection) run_.asked["projection." + key] = value;
  for (const auto& [key, value] : config_.device) run_.asked["device." + key] = value;
  for (const auto& [key, value] : config_.session) run_.asked["session." + key] = value;
  for (const auto& [key, value] : config_.layer) run_.asked["layer." + key] = value;
  note_device();
}

void TrainingLoop::make_network() {
  const std::string& init_from = config_.train.text("init_from");
  const Activation activation = activation_from(config_.train.text("activation"));
  run_.net = network_for(config_.train.text("net"), activation, data_.train);
  if (init_from.empty()) {
    run_.net.initialise(config_.seed());
  } else {
    Network stored = load_network(init_from);
    const auto name = [](const Network& net) {
      return net.text() + (net.model() ? "" : " " + to_string(net.hidden_activation()));
    };
    if (name(stored) != name(run_.net))
      throw ShapeMismatch("train.init_from " + init_from, name(stored), "this run is " + name(run_.net),
                          "give the net and the activation of that run");
    if (data_.train.alphabet != load_run(init_from).alphabet)
      throw InvalidParameter("train.init_from " + init_from, "it has learned other characters than " + data_.train.name,
                             "its codes would mean others", "go on with a text of the same characters");
    run_.net = std::move(stored);
  }
  run_.optimizer = optimizer_state(optimizer_, static_cast<Index>(run_.net.parameters().size()));
}

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
  check_targets();
  const auto& widths = run_.net.widths();
  if (run_.net.model() && !config_.model->info.any_layers)
    throw Unsupported(
        "rule " + config_.model->info.name + " on net " + config_.train.text("net"),
        "the rule trains fully connected networks", "",
        use_rules(&RuleInfo::any_layers, data_.train.graph != nullptr) + "; or give widths such as 784-1024-10");
  Index outputs = config_.uses_projection() ? broadcast_width(run_.net, config_.rule) : run_.net.hidden_layers();
  if (outputs > 0 && config_.model->info.projects_to == ProjectTo::input) outputs = widths.front();
  if (outputs > 0) {
    path_ = open_feedback(config_, registry, run_.net.classes(), outputs, resumed_);
  } else if (const std::string& record = config_.train.text("record"); !record.empty()) {
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
  if (!config_.model->info.by_error)
    throw Unsupported("rule " + config_.model->info.name + " on " + data.name, why, "the rule asks for one label",
                      use_rules(&RuleInfo::by_error, false));
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
  AnalogPlace place{.device = device, .settings = {}, .layer = config_.layer};
  const std::vector<ParamInfo> choice = registry.open_params(device);
  if (std::ranges::any_of(choice, [](const ParamInfo& info) { return info.name == "seed"; }))
    place.settings["seed"] = config_.train.integer("seed");
  layers_ = std::make_unique<AnalogNetwork>(registry, place, run_.net);
  if (layers_->goes_back() && !config_.model->info.goes_back)
    throw Unsupported("layer.backward with rule " + config_.model->info.name,
                      "the rule sends nothing back through the layers", "bp does", "Leave layer.backward at weights.");
  if (layers_->learns_by_itself() && ruled.own_forward)
    throw Unsupported("layer.noise_management, output_range or update with rule " + ruled.name,
                      "learned, or programme: the rule has no signals that a device could learn from",
                      "bp, dfa and others do", "Choose another noise management, output range or update.");
  if (layers_->learns_programme()) check_moves_phases();
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

void TrainingLoop::open_map(const Registry& registry) {
  const std::string& device = config_.train.text("map");
  if (device.empty()) return;
  Settings settings;
  if (std::ranges::any_of(registry.open_params(device), [](const ParamInfo& info) { return info.name == "seed"; }))
    settings["seed"] = config_.train.integer("seed");
  maps_ = std::make_unique<PhysicalMaps>(registry, device, settings, run_.net, config_.train.real("map_range"),
                                         config_.train.integer("map_part"), config_.model->info.goes_back);
  if (!run_.layers_state.empty()) maps_->restore(run_.layers_state);
}

void TrainingLoop::make_rule() {
  rule_ = config_.model->make({.net = run_.net,
                               .seed = config_.seed(),
                               .params = config_.rule,
                               .feedback = path_.feedback.get(),
                               .layers = layers_.get(),
                               .map = maps_ ? maps_->as_map() : PhysicalMap()});
  const std::span<float> own = rule_->own().values;
  if (run_.own.size() == 0 && !resumed_) {
    run_.own_optimizer = optimizer_state(optimizer_, static_cast<Index>(own.size()));
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

TrainPlan TrainingLoop::plan() const {
  TrainPlan plan;
  plan.device = config_.train.text("device");
  plan.rule = config_.model->info.name;
  plan.dataset = data_.train.name;
  plan.widths = run_.net.widths();
  plan.net = run_.net.text();
  plan.samples = data_.train.size();
  plan.epochs = epochs_;
  plan.steps = epochs_ * steps_per_epoch_ - (run_.position.epoch * steps_per_epoch_ + run_.position.step);
  plan.samples_per_step = static_cast<double>(plan.samples) / static_cast<double>(steps_per_epoch_);
  if (rule_) plan.touch_per_step = step_touch(rule_->declared(run_.net, batch_), batch_);
  const Index all = run_.net.layers(), scored = data_.test.size() + data_.validation.size();  // rows after an epoch
  const Index answers = rule_ && config_.model->info.own_answer ? (rule_->answer_passes(run_.net) + all - 1) / all : 1;
  if (layers_) {
    // passes of all layers alike, rounded up; the update is a write among those that are counted
    const Index shown = (plan.touch_per_step.passes + all - 1) / all;
    const Index writes = std::max((plan.touch_per_step.writes + all - 1) / all,
                                  layers_->rewritten() ? (shown + batch_ - 1) / batch_ : 1);
    layers_->add_expected(plan.steps, std::max<Index>(1, writes), rule_ ? shown : batch_, plan.device_frames,
                          plan.device_seconds, plan.device_joules);
    layers_->add_expected(epochs_ - run_.position.epoch, 1, scored * answers, plan.device_frames, plan.device_seconds,
                          plan.device_joules);
  }
  if (maps_ && rule_) {
    const Index shown = plan.touch_per_step.passes / all;
    maps_->add_expected(
        plan.steps * shown + (maps_->calibrated() ? 0 : 2 * shown) + (epochs_ - run_.position.epoch) * scored * answers,
        plan.device_frames, plan.device_seconds, plan.device_joules);
  }
  if (!path_.projection) return plan;
  plan.encoding = path_.projection->settings().text("encoding");
  plan.readout = path_.projection->settings().text("readout");
  plan.exposure_s = path_.projection->report().exposure_s;
  const auto add = [&plan](const ProjectionCost& cost, Index times) {
    plan.device_frames += times * cost.frames;
    plan.device_seconds += static_cast<double>(times) * cost.device_s;
    plan.device_joules += static_cast<double>(times) * cost.device_j;
  };
  add(path_.projection->calibration_cost(), resumed_ ? 0 : 1);
  if (path_.measures()) {
    add(path_.projection->cost(1), path_.projection->inputs());
    return plan;
  }
  add(path_.projection->cost(data_.train.counts.empty() ? batch_ * data_.train.targets : data_.train.counted()),
      plan.steps);
  if (config_.train.boolean("fidelity"))
    add(path_.projection->cost(path_.projection->inputs()), epochs_ - run_.position.epoch + (resumed_ ? 0 : 1));
  if (config_.train.boolean("probe")) add(path_.projection->probe_cost(), resumed_ ? 1 : 2);
  return plan;
}

bool TrainingLoop::calibrate() {
  if (!path_.projection || resumed_) return false;
  if (const std::string& file = config_.train.text("record"); !file.empty()) recording_ = record(*path_.session, file);
  path_.projection->calibrate();
  run_.warnings = path_.projection->report().warnings;
  return true;
}

void TrainingLoop::measure() {
  if (path_.measures()) {
    path_.feedback = digital_feedback(measure_matrix(*path_.projection));
    note_device();
    run_.measured = path_.session->meter();
    path_.projection.reset();
    path_.session.reset();
    make_rule();
  } else if (config_.train.boolean("probe")) {
    run_.health_start = path_.projection->probe();
  }
  if (path_.projection && config_.train.boolean("fidelity")) run_.reference = measure_matrix(*path_.projection);
}

void TrainingLoop::begin_epoch() {
  if (order_epoch_ == run_.position.epoch) return;
  order_.resize(static_cast<std::size_t>(data_.train.size()));
  if (data_.train.graph)  // nodes stay where they are
    std::iota(order_.begin(), order_.end(), 0u);
  else
    Stream(config_.seed(), 0, Purpose::batch_order)
        .permutation(static_cast<std::uint64_t>(run_.position.epoch), order_);
  order_epoch_ = run_.position.epoch;
}

double TrainingLoop::step() {
  const auto start = std::chrono::steady_clock::now();
  begin_epoch();
  RunPosition& at = run_.position;
  const Index first = at.step * batch_, count = std::min(batch_, data_.train.size() - first);
  const std::span which(order_.data() + first, static_cast<std::size_t>(count));
  activations_.h.resize(static_cast<std::size_t>(run_.net.layers()) + 1);
  activations_.h[0].resize(count, data_.train.features());
  data_.train.gather(which, activations_.h[0]);
  gather_targets(which);
  // a graph is one batch
  const Index counted = data_.train.counts.empty() ? count * data_.train.targets : data_.train.counted();
  const bool own_forward = config_.model->info.own_forward;
  const Index done = at.epoch * steps_per_epoch_ + at.step;
  if (own_forward && layers_) layers_->hold(run_.net);
  const double output_loss = own_forward ? 0 : run_forward(layers_.get());
  check_loss(output_loss);
  const BackPass back = [this](Index layer, View<const float> delta, View<float> below) {
    const Matrix<float>& h = activations_.h[static_cast<std::size_t>(layer)];
    maps_ ? maps_->backward(run_.net, layer, h, delta, below) : layers_->backward(layer, h, delta, below);
  };
  const NetworkPass pass = [this](const Network& net, View<const float> x, Activations& out) {
    layers_->program(net, true);
    layers_->forward(net, x, out, trial_pass(config_.seed(), static_cast<std::uint64_t>(run_.position.trained)));
  };
  const RuleBatch batch{.activations = activations_,
                        .error = error_,
                        .labels = labels_,
                        .loss = loss_,
                        .step = static_cast<std::uint64_t>(done),
                        .first_sample = static_cast<std::uint64_t>(at.trained),
                        .keep_signal = alignment_due() || (layers_ && layers_->learns_by_itself()),
                        .pass = layers_ ? &pass : nullptr,
                        .back = maps_ || (layers_ && layers_->goes_back()) ? &back : nullptr,
                        .counts = data_.train.counts};
  rule_->gradient(run_.net, batch, gradient_.flat());
  finish_gradient(count, counted);
  const double loss = own_forward ? rule_->loss() : output_loss;
  check_loss(loss);
  measure_alignment(batch);
  const double lr = schedule_.at(done, epochs_ * steps_per_epoch_);
  if (layers_ && layers_->learns_by_itself()) learn_on_devices(lr);
  optimizer_step(optimizer_, run_.optimizer, lr, gradient_.flat(), run_.net.parameters());
  if (layers_ && layers_->learns_programme()) layers_->read_weights(run_.net);
  if (own_forward)
    std::ranges::copy(rule_->learned_state(), run_.net.state().begin());
  else
    learn_state(run_.net, activations_);
  if (const Trainable own = rule_->own(); !own.values.empty())
    optimizer_step(optimizer_, run_.own_optimizer, lr, own.gradient, own.values);
  add_layer_loss(counted);
  run_.touch += step_touch(rule_->touched(), count);
  at.loss_sum += loss;
  at.samples += static_cast<double>(counted);
  at.active += static_cast<double>(std::ranges::count_if(rule_->shown_rows(), [&](Index r) {
    return data_.train.counts.empty() || data_.train.counts[static_cast<std::size_t>(r)] != 0;
  }));
  at.trained += count;
  ++at.step;
  run_.step_loss.push_back(loss / static_cast<double>(counted));
  at.train_s += seconds_since(start);
  if (at.step == steps_per_epoch_) end_epoch(lr);
  return run_.step_loss.back();
}

double TrainingLoop::run_forward(AnalogNetwork* layers) {
  LayerPass pass;
  pass.training = true;
  pass.seed = config_.seed();
  pass.first_sample = static_cast<std::uint64_t>(run_.position.trained);
  if (layers) {
    layers->program(run_.net, true);
    layers->forward(run_.net, activations_.h[0], activations_, pass);
  } else if (maps_) {
    maps_->forward(run_.net, activations_.h[0], activations_);
  } else {
    forward(run_.net, activations_.h[0], activations_, pass);
  }
  const Matrix<float>& out = activations_.h.back();
  error_.resize(out.rows(), out.cols());
  if (data_.train.values.size()) return value_error(out, values_, error_);
  const Index rows = out.rows() * data_.train.targets, classes = run_.net.classes();
  return output_error(loss_, {out.data(), rows, classes}, labels_, {error_.data(), rows, classes}, data_.train.counts);
}

void TrainingLoop::gather_targets(std::span<const std::uint32_t> which) {
  const auto each = static_cast<std::size_t>(data_.train.targets);
  labels_.resize(which.size() * each);
  for (std::size_t i = 0; i < which.size(); ++i)
    std::copy_n(data_.train.labels.data() + which[i] * each, each, labels_.data() + i * each);
  const Matrix<float>& values = data_.train.values;
  if (values.size() == 0) return;
  values_.resize(static_cast<Index>(which.size()), values.cols());
  for (std::size_t i = 0; i < which.size(); ++i)
    std::ranges::copy(values.row(which[i]), values_.row(static_cast<Index>(i)).begin());
}

/// Rules divide by all rows of the batch: from there to the mean over those that count; then the decay.
void TrainingLoop::finish_gradient(Index rows, Index counted) {
  const bool rescale = counted != rows && !config_.model->info.own_forward;
  if (!rescale && weight_decay_ == 0) return;
  const float scale = rescale ? static_cast<float>(rows) / static_cast<float>(counted) : 1.0f;
  const std::span<float> g = gradient_.flat();
  const std::span<const float> w = run_.net.parameters();
  for_chunks(static_cast<Index>(g.size()), kChunk, [&](Index first, Index n) {
    for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(first + n); ++i)
      g[i] = scale * g[i] + weight_decay_ * w[i];
  });
}

void TrainingLoop::learn_on_devices(double lr) {
  const std::span<const Index> rows = rule_->active_rows();
  Matrix<float> seen;
  for (Index l = 0; l < run_.net.layers(); ++l) {
    const Matrix<float>& h = activations_.h[static_cast<std::size_t>(l)];
    const View<const float> delta = l < run_.net.hidden_layers() ? rule_->teaching_signal(l) : error_.view();
    if (delta.rows() == h.rows()) {
      layers_->learn(l, h, delta, lr);
    } else if (delta.rows() == static_cast<Index>(rows.size())) {
      seen.resize(delta.rows(), h.cols());
      for (Index r = 0; r < seen.rows(); ++r)
        std::ranges::copy(h.row(rows[static_cast<std::size_t>(r)]), seen.row(r).begin());
      layers_->learn(l, seen, delta, lr);
    } else if (!delta.empty()) {
      throw ShapeMismatch("rule " + config_.model->info.name + ": signal of layer " + std::to_string(l + 1),
                          std::to_string(delta.rows()) + " rows",
                          std::to_string(h.rows()) + ", or the " + std::to_string(rows.size()) + " active ones");
    }
  }
}

void TrainingLoop::check_loss(double loss) const {
  if (std::isfinite(loss)) return;
  const RunPosition& at = run_.position;
  throw OutOfRange(
      "training loss", std::to_string(loss), "must stay finite",
      "lower train.lr (epoch " + std::to_string(at.epoch + 1) + ", step " + std::to_string(at.step + 1) + ")");
}

/// With physics in front of the layers the exact gradient is nobody's to know.
bool TrainingLoop::alignment_due() const {
  return alignment_every_ > 0 && !maps_ && run_.position.step % alignment_every_ == 0;
}

void TrainingLoop::measure_alignment(const RuleBatch& batch) {
  RunPosition& at = run_.position;
  if (!alignment_due()) return;
  if (config_.model->info.own_forward) {
    if (run_.net.hidden_layers() == 0 || rule_->teaching_signal(0).empty()) return;
    run_forward(nullptr);  // in memory: a comparison costs no frames
  }
  alignment_.add(run_.net, {activations_, error_, batch.labels}, *rule_, at.alignment);
}

void TrainingLoop::add_layer_loss(Index samples) {
  const std::span<const double> losses = rule_->layer_loss();
  std::vector<double>& sums = run_.position.layer_loss;
  sums.resize(losses.size());
  for (std::size_t l = 0; l < losses.size(); ++l) sums[l] += losses[l] * static_cast<double>(samples);
}

StepTouch TrainingLoop::step_touch(StepTouch rule, Index samples) const {
  if (!config_.model->info.own_forward) rule.passes += run_.net.layers() * samples;
  rule.writes += run_.net.layers();  // the update
  return rule;
}

void TrainingLoop::check_weights() const {
  const std::span<const float> weights = run_.net.parameters();
  if (std::ranges::all_of(weights, [](float w) { return std::isfinite(w); })) return;
  throw OutOfRange("weights after " + std::to_string(run_.step_loss.size()) + " steps", "not finite",
                   "must stay finite", "lower train.lr");
}

void TrainingLoop::end_epoch(double learning_rate) {
  check_weights();
  if (layers_) layers_->program(run_.net, true);
  const auto scored = [this](const Dataset& data) {
    Rule* const answers = config_.model->info.own_answer ? rule_.get() : nullptr;
    if (layers_) return layers_->evaluate(run_.net, data, loss_, answers);
    return maps_ && !answers ? maps_->evaluate(run_.net, data, loss_) : evaluate(run_.net, data, loss_, answers);
  };
  const Evaluation tested = scored(data_.test);
  const double validated = data_.validation.size() > 0 ? scored(data_.validation).accuracy : std::nan("");
  note_device();
  RunPosition& at = run_.position;
  EpochResult epoch;
  epoch.validation_accuracy = validated;
  epoch.epoch = at.epoch + 1;
  epoch.train_loss = at.loss_sum / at.samples;
  epoch.test_accuracy = tested.accuracy;
  epoch.test_loss = tested.loss;
  epoch.learning_rate = learning_rate;
  at.alignment.cosines.resize(static_cast<std::size_t>(run_.net.hidden_layers()));
  at.alignment.counts.resize(at.alignment.cosines.size());
  epoch.alignment = at.alignment.means();
  epoch.device_frames = run_.about_device.frames;
  epoch.device_s = run_.about_device.device_s;
  epoch.device_j = run_.about_device.device_j;
  epoch.train_s = at.train_s;
  epoch.active_fraction = at.active / at.samples;
  epoch.touch = run_.touch;
  if (const Index samples = config_.train.integer("layer_metrics"); samples > 0 && run_.net.hidden_layers() > 0) {
    LayerMetrics metrics = measure_layers(run_.net, data_, samples);
    epoch.probe = std::move(metrics.probe);
    epoch.cka = std::move(metrics.cka);
  }
  if (path_.projection && run_.reference.size() > 0)
    epoch.fidelity = projection_fidelity(*path_.projection, run_.reference);
  for (const double sum : at.layer_loss) epoch.layer_loss.push_back(sum / at.samples);
  run_.epochs.push_back(std::move(epoch));
  const double train_s = at.train_s;
  const std::int64_t trained = at.trained;
  at = {};
  at.epoch = run_.epochs.back().epoch;
  at.train_s = train_s;
  at.trained = trained;
}

void TrainingLoop::finish() {
  if (path_.projection && config_.train.boolean("probe")) run_.health_end = path_.projection->probe();
  note_device();
  run_.complete = true;
}

std::vector<std::string> TrainingLoop::news() {
  std::vector<std::string> texts;
  if (!path_.session) return texts;
  for (const SessionEvent& event : path_.session->events(told_)) {
    texts.push_back("frame " + std::to_string(event.frame_id) + ": " + event.text);
    told_ = event.number + 1;
    constexpr std::size_t kKept = 1000;
    if (run_.warnings.size() < kKept) run_.warnings.push_back(texts.back());
  }
  return texts;
}

void TrainingLoop::note_device() {
  RunDevice& about = run_.about_device;
  Meter meter = path_.session ? path_.session->meter() : run_.measured.value_or(Meter{});
  if (layers_) layers_->add_meters(meter);
  if (maps_) {
    meter += maps_->session().meter();
    about.clipped_inputs = maps_->report().clipped_inputs;
    about.saturated = maps_->report().saturated;
  }
  if (!path_.session) {
    if (meter.batches > 0) note_meter(meter);
    if (!run_.measured && layers_) about.address = layers_->devices().address();
    if (!run_.measured && maps_) about.address = maps_->session().address();
    if (about.address.empty()) about.address = config_.train.text("device");
    return;
  }
  about.address = path_.session->address();
  const DeviceInfo& info = path_.session->info();
  about.kind = info.kind;
  about.model = info.model;
  about.serial = info.serial;
  about.version = info.version;
  about.calibration_id = info.calibration_id;
  note_meter(meter);
  run_.device = path_.session->settings();
  run_.projection = path_.projection->settings();
}

void TrainingLoop::note_meter(const Meter& meter) {
  RunDevice& about = run_.about_device;
  about.frames = meter.frames;
  about.device_s = meter.device_s;
  about.device_j = meter.device_j;
  about.saturation = meter.saturation();
  about.retries = meter.retries;
  about.discarded = meter.discarded;
  about.losses = meter.losses;
  about.reopened = meter.reopened;
}

void TrainingLoop::save() {
  if (out().empty()) return;
  check_weights();
  note_device();
  run_.rule_state = rule_->snapshot();
  copy_own();
  if (path_.session) {
    run_.session = path_.session->snapshot();
    run_.projection_state = path_.projection->snapshot();
  }
  if (path_.feedback) run_.feedback_state = path_.feedback->snapshot();
  if (layers_) run_.layers_state = layers_->snapshot();
  if (maps_) run_.layers_state = maps_->snapshot();
  save_run(run_, out());
}

void TrainingLoop::remove_empty_file() const {
  const bool device_asked = path_.session || run_.measured;
  if (out().empty() || resumed_ || device_asked || !run_.step_loss.empty()) return;
  std::error_code stays;
  std::filesystem::remove(out(), stays);
}

void TrainingLoop::copy_own() {
  if (!rule_) return;
  rule_->settle();
  const std::span<const float> own = rule_->own().values;
  run_.own.resize(1, static_cast<Index>(own.size()));
  std::ranges::copy(own, run_.own.flat().begin());
}

void TrainingLoop::close_recording() {
  if (recording_) recording_->close();
}

TrainResult TrainingLoop::take_result() {
  copy_own();
  TrainResult result = result_of(run_, out());
  result.net = std::move(run_.net);
  return result;
}

}  // namespace lightloop
