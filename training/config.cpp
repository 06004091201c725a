#include "training/config.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/only_with.hpp"
#include "core/text.hpp"
#include "driver/api/device_list.hpp"
#include "driver/api/session_policy.hpp"
#include "driver/layer/layer.hpp"
#include "training/layers/architecture.hpp"

namespace lightloop {
namespace {

constexpr const char* kNamespaces[] = {"train.", "rule.", "projection.", "device.", "layer.", "session."};

void check_namespaces(const TrainSettings& settings) {
  for (const auto& [key, value] : settings) {
    const bool known =
        std::ranges::any_of(kNamespaces, [&name = key](const char* space) { return name.starts_with(space); });
    if (known) continue;
    std::vector<std::string> names;
    for (const ParamInfo& info : train_params()) {
      names.push_back("train." + info.name);
      names.push_back(info.name);
    }
    std::string hint = "settings begin with train., rule., projection., device., layer. or session.";
    if (const auto near = nearest(key, names))
      hint = "did you mean " + (near->starts_with("train.") ? *near : "train." + *near) + "?";
    throw UnknownName("setting", key, "", hint);
  }
}

/// resume=true means the file named by out.
void name_resumed_file(Settings& train) {
  const auto resume = train.find("resume");
  if (resume == train.end()) return;
  const std::string word = to_string(resume->second);
  if (word == "false" || word == "no") resume->second = std::string();
  if (word != "true" && word != "yes") return;
  const auto out = train.find("out");
  if (out == train.end()) throw InvalidParameter("train.resume", word, "needs train.out", "write resume=RUN.h5");
  resume->second = out->second;
}

/// A text of several lines, as TOML has them, in one.
std::string one_line(std::string net) {
  std::ranges::replace_if(
      net, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return std::string(trimmed(net));
}

/// net=FILE.toml: widths and, unless given, the activation come from the file.
void read_net(Settings& train) {
  const auto net = train.find("net");
  if (net == train.end() || !std::holds_alternative<std::string>(net->second)) return;
  const std::string path = one_line(std::get<std::string>(net->second));
  net->second = path;
  if (!path.ends_with(".toml")) return;
  ParamSet file(path, {{"net", "", std::string(), 0, 0, "layer widths such as 784-1024-10, a preset, or layers"},
                       {"activation", "", std::string("tanh"), 0, 0, "non-linearity of the hidden layers"}});
  file.set(read_toml(path));
  if (file.text("net").empty()) throw InvalidParameter(path, "names no net", "", "write net = \"784-1024-10\"");
  net->second = one_line(file.text("net"));
  if (!file.is_default("activation")) train.try_emplace("activation", file.text("activation"));
}

bool has_hidden_activation(const std::string& net) {
  return net.empty() || is_widths(net) || is_widths(expand_preset(net, {{1}, 1}));
}

/// What somebody gave and nobody reads is a misunderstanding.
void refuse_idle(const Settings& given, const ParamSet& train) {
  for (const auto& [key, value] : given)
    if (const std::string why = idle(key, train); !why.empty())
      throw InvalidParameter("train." + key, to_string(value), why, "leave it out");
}

void shortcut(const ParamSet& train, const char* name, Settings& projection) {
  const std::string& value = train.text(name);
  if (value.empty()) return;
  const auto [place, added] = projection.try_emplace(name, value);
  if (!added && place->second != Value(value))
    throw InvalidParameter("projection." + std::string(name), to_string(place->second),
                           "train." + std::string(name) + " says " + value, "give one of the two");
}

void fit_projection_to_rule(TrainConfig& config) {
  const RuleInfo& info = config.model->info;
  if (!info.encoding.empty()) config.projection.try_emplace("encoding", info.encoding);
  if (config.rule.has("dead_zone")) config.projection.try_emplace("dead_zone", config.rule.real("dead_zone"));
  if (config.rule.has("skip_empty") && !config.rule.boolean("skip_empty"))
    config.projection.try_emplace("skip_empty", false);
  ParamSet projection("projection", projection_params());
  projection.set(config.projection);
  if (!config.digital() && info.signed_signal && projection.text("encoding") == "threshold")
    throw InvalidParameter("projection.encoding", "threshold", "shows what is above 0 and nothing else",
                           "What rule " + info.name + " projects has both signs: use ternary or bitplanes:N.");
  if (projection.text("readout") == "intensity")
    throw InvalidParameter("projection.readout", "intensity", "gives |Hx|^2 and no sign",
                           "Rule " + info.name + " needs a linear read-out: anchor or phase4.");
  if (config.rule.has("dead_zone") && projection.real("dead_zone") != config.rule.real("dead_zone"))
    throw InvalidParameter("projection.dead_zone", to_string(projection.value("dead_zone")),
                           "rule.dead_zone is " + to_string(config.rule.value("dead_zone")),
                           "rule " + info.name + " codes the error itself: give rule.dead_zone");
}

std::string rules_with_projection() {
  std::string names;
  for (const RuleModel& model : rules())
    if (model.info.needs == Needs::fixed_projection) names += (names.empty() ? "" : ", ") + model.info.name;
  return names;
}

std::string rules_with_maps() {
  std::string names;
  for (const RuleModel& model : rules())
    if (model.info.maps) names += (names.empty() ? "" : ", ") + model.info.name;
  return names;
}

void check_map(const TrainConfig& config) {
  const std::string& map = config.train.text("map");
  if (map.empty()) {
    for (const char* key : {"map_at", "map_twin", "map_range", "map_part", "map_levels"})
      if (!config.train.is_default(key))
        throw InvalidParameter(std::string("train.") + key, to_string(config.train.value(key)),
                               "no device stands in front of the layers", "give train.map (sim:wave), or leave it out");
    return;
  }
  if (!config.model->info.maps)
    throw Unsupported("rule " + config.model->info.name + " with train.map", config.model->info.no_map, "",
                      "use one of " + rules_with_maps());
  if (config.train.integer("layer_metrics") > 0)
    throw Unsupported("train.layer_metrics with train.map", to_string(config.train.value("layer_metrics")),
                      "probes look at layers in memory", "leave it out");
  if (config.train.integer("batch") < 10)
    throw InvalidParameter("train.batch", to_string(config.train.value("batch")),
                           "the first batch calibrates train.map",
                           "give 10 or more; some thirty make a good calibration");
}

void check_device_use(const TrainConfig& config) {
  const std::string& rule = config.model->info.name;
  check_map(config);
  const std::string unused = config.train.text("map").empty() && config.train.text("layers").empty()
                                 ? "no device is used"
                                 : "it is for train.device, and no device projects";
  const bool matrix = config.rule.has("matrix_from") && !config.rule.text("matrix_from").empty();
  if (!config.digital() && !config.uses_projection())
    throw Unsupported("rule " + rule + " on device " + config.train.text("device"), "the rule has no use for a device",
                      "", "use train.device=digital, or one of " + rules_with_projection());
  if (!config.digital() && matrix)
    throw InvalidParameter("rule.matrix_from", config.rule.text("matrix_from"), "only for train.device=digital",
                           "a device brings its own matrix");
  const std::string& record = config.train.text("record");
  if (config.digital() && config.train.text("map").empty() && config.train.text("layers").empty() && !record.empty())
    throw InvalidParameter("train.record", record, unused,
                           "give train.device (sim:opu), train.layers (sim:crossbar) or train.map (sim:wave), or leave "
                           "it out");
  if (!record.empty() && !config.train.text("resume").empty())
    throw InvalidParameter("train.record", record, "a recording begins with its run, and this one is resumed",
                           "leave train.record out, or start the run anew");
  if (const std::vector<std::string> files = counted(record);
      !record.empty() && std::ranges::find(files, config.train.text("out")) != files.end())
    throw InvalidParameter("train.record", record, "train.out names the same file", "give two names");
  if (config.train.text("layers").empty() && !config.layer.empty())
    throw InvalidParameter("layer." + config.layer.begin()->first, to_string(config.layer.begin()->second),
                           "no layer runs on a device", "give train.layers (sim:crossbar), or leave it out");
  if (config.digital() && !matrix) {
    if (!config.projection.empty())
      throw InvalidParameter("projection." + config.projection.begin()->first,
                             to_string(config.projection.begin()->second), unused,
                             "give train.device (sim:opu), or leave it out");
    const bool session = !config.train.text("map").empty() || !config.train.text("layers").empty();
    for (const auto& [space, given] :
         {std::pair{"device.", &config.device}, {"session.", session ? nullptr : &config.session}})
      if (given && !given->empty())
        throw InvalidParameter(space + given->begin()->first, to_string(given->begin()->second), unused,
                               "give train.device (sim:opu), or leave it out");
  }
}

}  // namespace

std::string idle(const std::string& key, const ParamSet& train) {
  if (key == "activation" && !has_hidden_activation(train.text("net")))
    return "the net says its non-linearities itself (conv 8 3, relu | ...)";
  const std::vector<ParamInfo> known = train_params();
  const auto info = std::ranges::find(known, key, &ParamInfo::name);
  if (info == known.end() || in_force(*info, train)) return {};
  return "has no effect: only with train." + info->only_with;
}

TrainConfig resolve_config(const TrainSettings& settings) {
  check_namespaces(settings);
  Settings train = below(settings, "train");
  name_resumed_file(train);
  read_net(train);
  if (const auto several = train.find("rule");
      several != train.end() && to_string(several->second).find(',') != std::string::npos)
    throw InvalidParameter("train.rule", to_string(several->second), "one rule",
                           "name rules to compare it with in train.baseline");
  TrainConfig config;
  config.train = ParamSet("train", train_params());
  config.train.set(train);
  config.model = &rule(config.train.text("rule"));
  config.rule = ParamSet("rule " + config.model->info.name, config.model->info.params);
  config.rule.set(below(settings, "rule"));
  config.projection = below(settings, "projection");
  config.device = below(settings, "device");
  config.session = below(settings, "session");
  config.layer = below(settings, "layer");
  ParamSet("layer", layer_params()).set(config.layer);
  ParamSet("session", session_params()).set(config.session);
  shortcut(config.train, "encoding", config.projection);
  shortcut(config.train, "readout", config.projection);
  check_device_use(config);
  refuse_idle(train, config.train);
  if (const std::string& net = config.train.text("net"); is_widths(net))
    parse_net(net);
  else if (!net.empty())
    check_net_text(net);
  if (config.uses_projection()) {
    if (!config.digital() || !config.rule.text("matrix_from").empty()) fit_projection_to_rule(config);
  }
  baselines(settings);  // names every rule
  return config;
}

OptimizerSettings optimizer_settings(const ParamSet& train) {
  return {.kind = optimizer_from(train.text("optimizer")),
          .momentum = train.real("momentum"),
          .beta1 = train.real("beta1"),
          .beta2 = train.real("beta2"),
          .epsilon = train.real("epsilon")};
}

Schedule schedule(const ParamSet& train, Index steps_per_epoch) {
  return {.kind = schedule_from(train.text("schedule")),
          .lr = train.real("lr"),
          .factor = train.real("step_factor"),
          .every = train.integer("step_epochs") * steps_per_epoch};
}

std::vector<TrainSettings> baselines(const TrainSettings& settings) {
  const auto asked = settings.find("train.baseline");
  std::vector<TrainSettings> runs;
  if (asked == settings.end()) return runs;
  const std::string list = to_string(asked->second);
  for (std::size_t begin = 0; begin <= list.size() && !list.empty();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (begin == end)
      throw InvalidParameter("train.baseline", list, "a comma with no rule beside it", "write rules like bp,dfa");
    TrainSettings run;
    for (const auto& [key, value] : settings) {
      const bool of_device = key.starts_with("projection.") || key.starts_with("device.") ||
                             key.starts_with("session.") || key.starts_with("layer.") || key == "train.layers" ||
                             key.starts_with("train.map") || key == "train.device" || key == "train.encoding" ||
                             key == "train.readout" || key == "train.record" || key == "train.fidelity";
      const bool of_file = key == "train.out" || key == "train.resume" || key == "train.baseline";
      if (!of_device && !of_file && !key.starts_with("rule.")) run.insert({key, value});
    }
    const std::string name = list.substr(begin, end - begin);
    if (std::ranges::any_of(runs, [&](const TrainSettings& other) { return other.at("train.rule") == Value(name); }))
      throw InvalidParameter("train.baseline", list, name + " stands in it twice", "name every rule once");
    run["train.rule"] = name;
    for (const ParamInfo& info : rule(name).info.params)
      if (const auto given = settings.find("rule." + info.name); given != settings.end() && info.name != "matrix_from")
        run.insert(*given);
    runs.push_back(std::move(run));
    begin = end + 1;
  }
  return runs;
}

}  // namespace lightloop
