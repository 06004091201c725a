#include "tools/lightloop/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "training/layers/graph.hpp"

namespace lightloop::command {
namespace {
using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json json(const Value& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json json(const std::vector<double>& values) {
  Json array = Json::array();
  for (const double value : values) array.push_back(number(value));
  return array;
}

Json json(const Settings& settings) {
  Json object = Json::object();
  for (const auto& [key, value] : settings) object[key] = json(value);
  return object;
}

Json json(const std::vector<ParamInfo>& params) {
  Json array = Json::array();
  for (const auto& info : params) {
    Json one = {{"name", info.name}, {"unit", info.unit}, {"default", json(info.default_value)}};
    if (info.min != info.max) one.update({{"min", number(info.min)}, {"max", number(info.max)}});
    if (!info.choices.empty()) one["choices"] = info.choices;
    one["help"] = info.help;
    one["needs_reopen"] = info.needs_reopen;
    if (info.off) one["off"] = json(*info.off);
    if (!info.only_with.empty()) one["only_with"] = info.only_with;
    array.push_back(std::move(one));
  }
  return array;
}

Json json(const EnergyAccount& account) {
  Json array = Json::array();
  for (const EnergyPart& part : account.parts())
    array.push_back({{"component", part.name}, {"events", number(part.events)}, {"joules", number(part.joules)}});
  return array;
}

Json json(const Spread& spread) { return {{"mean", number(spread.mean)}, {"sd", number(spread.sd)}, {"n", spread.n}}; }

Json json(const Health& health) {
  return {{"dark_level", number(health.dark_level)},
          {"saturation", number(health.saturation)},
          {"repeat_correlation", number(health.repeat_correlation)}};
}

Json json(const TrainResult& run) {
  Json curve = Json::array();
  for (const auto& epoch : run.epochs) {
    curve.push_back({{"epoch", epoch.epoch},
                     {"train_loss", number(epoch.train_loss)},
                     {"test_accuracy", number(epoch.test_accuracy)},
                     {"test_loss", number(epoch.test_loss)},
                     {"alignment", json(epoch.alignment)},
                     {"gradient_alignment", json(epoch.gradient_alignment)},
                     {"weight_alignment", json(epoch.weight_alignment)},
                     {"layer_loss", json(epoch.layer_loss)},
                     {"probe", json(epoch.probe)},
                     {"cka", json(epoch.cka)},
                     {"fidelity", number(epoch.fidelity)},
                     {"layer_passes", epoch.touch.passes},
                     {"projections", epoch.touch.projections},
                     {"layer_writes", epoch.touch.writes},
                     {"device_frames", epoch.device_frames},
                     {"train_seconds", number(epoch.train_s)}});
    if (std::isfinite(epoch.waited_s)) curve.back()["waited_seconds"] = epoch.waited_s;
    if (std::isfinite(epoch.validation_accuracy)) curve.back()["validation_accuracy"] = epoch.validation_accuracy;
  }
  Json object = {{"rule", run.rule},
                 {"device", run.device},
                 {"layers", run.layers},
                 {"seed", run.seed},
                 {"net", run.net.model() ? Json(run.net.text()) : Json(run.net.widths())},
                 {"test_accuracy", number(run.test_accuracy)},
                 {"train_seconds", number(run.train_seconds)},
                 {"samples_per_second", number(run.samples_per_second)},
                 {"device_frames", run.device_frames},
                 {"device_writes", run.device_writes},
                 {"device_seconds", number(run.device_seconds)},
                 {"device_joules", number(run.device_joules)},
                 {"alignment", json(run.alignment)},
                 {"weights_sha256", run.weights_sha256},
                 {"epochs", std::move(curve)},
                 {"interrupted", run.interrupted},
                 {"out", run.out}};
  object["devices"] = Json::array();
  for (const DeviceShare& share : run.devices)
    object["devices"].push_back({{"part", share.part},
                                 {"device", share.address},
                                 {"frames", share.frames},
                                 {"writes", share.writes},
                                 {"seconds", number(share.seconds)},
                                 {"joules", number(share.joules)}});
  if (!run.map.empty())
    object.update({{"map", run.map}, {"clipped_inputs", run.clipped_inputs}, {"saturated", run.saturated}});
  if (!run.warnings.empty()) object["warnings"] = run.warnings;
  if (run.device_frames > 0 && run.device != "digital")
    object.update({{"health_start", json(run.health_start)}, {"health_end", json(run.health_end)}});
  if (run.device_frames > 0)
    object["faults"] = {
        {"retries", run.device_retries}, {"losses", run.device_losses}, {"reopened", run.device_reopened}};
  return object;
}

std::string text(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }
}  // namespace

std::string run_json(const TrainResult& run, const std::vector<TrainResult>& baselines) {
  Json object = json(run);
  object["baselines"] = Json::array();
  for (const auto& baseline : baselines) object["baselines"].push_back(json(baseline));
  return text(object);
}

std::string plan_json(const TrainPlan& plan) {
  return text({{"dry_run", true},
               {"rule", plan.rule},
               {"device", plan.device},
               {"layers", plan.layers},
               {"map", plan.map},
               {"dataset", plan.dataset},
               {"net", plan.net == to_string(plan.widths) ? Json(plan.widths) : Json(plan.net)},
               {"samples", plan.samples},
               {"epochs", plan.epochs},
               {"steps", plan.steps},
               {"layer_passes_per_step", plan.touch_per_step.passes},
               {"projections_per_step", plan.touch_per_step.projections},
               {"layer_writes_per_step", plan.touch_per_step.writes},
               {"device_frames", plan.device_frames},
               {"device_seconds", number(plan.device_seconds)},
               {"device_joules", number(plan.device_joules)},
               {"frames_shown_once", plan.frames_shown_once},
               {"seconds_shown_once", number(plan.seconds_shown_once)},
               {"joules_shown_once", number(plan.joules_shown_once)},
               {"device_writes", plan.device_writes}});
}

std::string devices_json(const std::vector<DeviceModel>& models, const std::vector<Found>& found) {
  Json array = Json::array();
  for (const auto& model : models) {
    Json presets = Json::object();
    for (const auto& [name, settings] : model.presets) presets[name] = json(settings);
    array.push_back({{"name", model.name},
                     {"kind", model.kind},
                     {"summary", model.summary},
                     {"source", model.source},
                     {"settings", json(model.params)},
                     {"presets", std::move(presets)}});
  }
  Json there = Json::array(), failed = Json::array();
  for (const Found& one : found) {
    if (one.problem.empty())
      there.push_back({{"address", one.address}, {"summary", one.summary}});
    else
      failed.push_back({{"address", one.address}, {"problem", one.problem}});
  }
  return text({{"models", std::move(array)}, {"found", std::move(there)}, {"failed", std::move(failed)}});
}

std::string rules_json(const std::vector<RuleModel>& rules) {
  Json array = Json::array();
  for (const auto& [info, make] : rules)
    array.push_back({{"name", info.name},
                     {"summary", info.summary},
                     {"equation", info.equation},
                     {"needs", to_string(info.needs)},
                     {"cost", info.cost},
                     {"source", info.source},
                     {"label_in_features", info.in_features},
                     {"maps", info.maps},
                     {"no_map", info.no_map},
                     {"settings", json(info.params)}});
  return text(array);
}

std::string datasets_json(const std::vector<KnownDataset>& sets) {
  Json array = Json::array();
  for (const auto& set : sets) {
    Json files = Json::array();
    for (const auto& file : set.files)
      files.push_back({{"name", file.name}, {"url", file.url}, {"sha256", file.sha256}, {"bytes", file.bytes}});
    array.push_back(
        {{"name", set.name}, {"summary", set.summary}, {"licence", set.licence}, {"files", std::move(files)}});
  }
  return text(array);
}

std::string dataset_json(const std::string& name, const TrainTest& data) {
  Json object = {{"name", name}};
  for (const auto& [part, set] : {std::pair<const char*, const Dataset&>{"train", data.train},
                                  {"validation", data.validation},
                                  {"test", data.test}}) {
    if (set.size() == 0) continue;
    object[part] = {
        {"samples", set.size()}, {"shape", set.sample_shape}, {"classes", set.classes}, {"source", set.source}};
    if (const std::vector<Index> samples = set.per_class(); !samples.empty()) object[part]["per_class"] = samples;
    if (set.targets > 1) object[part]["targets"] = set.targets;
    if (set.values.size() > 0) object[part]["real_targets"] = true;
    if (!set.yardstick.what.empty())
      object[part]["yardstick"] = {{"what", set.yardstick.what}, {"value", number(set.yardstick.value)}};
    if (set.graph) object[part].update({{"counted", set.counted()}, {"edges", set.graph->edges() / 2}});
  }
  return text(object);
}

std::string physics_json(const std::string& device, const std::vector<PhysicsRow>& rows) {
  Json array = Json::array();
  for (const PhysicsRow& row : rows) {
    Json object = {{"quantity", row.name}, {"formula", row.formula}, {"unit", row.unit}};
    object["expected"] = row.skipped ? Json(nullptr) : number(row.expected);
    object["measured"] = row.skipped ? Json(nullptr) : number(row.measured);
    object["tolerance"] = row.skipped ? Json(nullptr) : number(row.tolerance);
    object["agrees"] = row.skipped ? Json(nullptr) : Json(row.agrees());
    object["detail"] = row.detail;
    array.push_back(std::move(object));
  }
  return text({{"device", device}, {"rows", std::move(array)}});
}

std::string check_json(const std::string& device, const std::vector<CheckResult>& results) {
  constexpr const char* kOutcomes[] = {"passed", "failed", "skipped"};
  int counts[3] = {};
  Json claims = Json::array();
  for (const auto& result : results) {
    const auto outcome = static_cast<std::size_t>(result.outcome);
    ++counts[outcome];
    claims.push_back({{"claim", result.name}, {"outcome", kOutcomes[outcome]}, {"detail", result.detail}});
  }
  Json object = {{"device", device}};
  for (std::size_t i = 0; i < 3; ++i) object[kOutcomes[i]] = counts[i];
  object["claims"] = std::move(claims);
  return text(object);
}

std::string analog_json(const Settings& values, const std::vector<LayerReport>& layers,
                        const std::vector<LatencyPart>& latency) {
  Json object = json(values), array = Json::array(), waits = Json::array();
  EnergyAccount all;
  for (const LayerReport& layer : layers) {
    all.add(layer.energy);
    array.push_back({{"vectors", layer.vectors},
                     {"frames", layer.frames},
                     {"clipped_inputs", layer.clipped_inputs},
                     {"clipped_updates", layer.clipped_updates},
                     {"clipped_phases", layer.clipped_phases},
                     {"saturated", layer.saturated},
                     {"residual", number(layer.residual)},
                     {"input_range", number(layer.input_range)},
                     {"output_range", number(layer.output_range)},
                     {"macs", number(layer.macs)},
                     {"programs", layer.programs},
                     {"program_seconds", number(layer.program_s)},
                     {"program_joules", number(layer.program_j)},
                     {"device_seconds", number(layer.device_s)},
                     {"device_joules", number(layer.device_j)},
                     {"energy", json(layer.energy)}});
  }
  object["layers"] = std::move(array);
  object["energy"] = json(all);
  for (const LatencyPart& part : latency)
    waits.push_back({{"component", part.name}, {"seconds", number(part.seconds)}});
  object["latency"] = std::move(waits);
  object["latency_seconds"] = number(seconds(latency));
  return text(object);
}

std::string sensitivity_json(const Sensitivity& report) {
  Json rows = Json::array();
  for (const SensitivityRow& row : report.rows) {
    Json layers = Json::array();
    for (const Value& value : row.layers) layers.push_back(json(value));
    rows.push_back({{"source", row.name},
                    {"unit", row.unit},
                    {"value", json(row.value)},
                    {"layers", std::move(layers)},
                    {"off", json(row.off)},
                    {"beside", row.beside},
                    {"accuracy_before", json(row.before)},
                    {"accuracy_alone", json(row.alone)},
                    {"accuracy_without", json(row.without)},
                    {"lost_alone", number(row.lost_alone)},
                    {"won_without", number(row.won_without)},
                    {"error_before", number(row.error_before)},
                    {"error_alone", number(row.error_alone)},
                    {"enob_alone", number(row.enob_alone)},
                    {"enob_without", number(row.enob_without)},
                    {"enob_without_predicted", number(row.enob_without_predicted)}});
  }
  EnergyAccount energy;
  for (const LayerReport& layer : report.cost) energy.add(layer.energy);
  return text({{"device", report.device},
               {"repeats", report.repeats},
               {"samples", report.samples},
               {"deployments", report.deployments},
               {"refused", report.refused},
               {"refusal", report.refusal},
               {"digital_accuracy", report.digital_accuracy},
               {"accuracy_none", json(report.none)},
               {"accuracy_all", json(report.all)},
               {"error_none", number(report.error_none)},
               {"error_all", number(report.error_all)},
               {"enob_measured", number(report.enob_measured)},
               {"enob_predicted", number(report.enob_predicted)},
               {"joules_per_sample", number(report.sample_j)},
               {"energy", json(energy)},
               {"sources", std::move(rows)}});
}

std::string spec_json(const Spec& spec) {
  Json axes = Json::array();
  for (const SpecAxis& axis : spec.axes) {
    Json one = {{"parameter", axis.name},  {"unit", axis.unit},         {"asked", json(axis.asked)},
                {"best", json(axis.best)}, {"alone", json(axis.alone)}, {"value", json(axis.value)}};
    one["layers"] = Json::array();
    for (const Value& value : axis.layers) one["layers"].push_back(json(value));
    one["priced"] = axis.priced;
    one["timed"] = axis.timed;
    one["at_end"] = axis.at_end;
    axes.push_back(std::move(one));
  }
  EnergyAccount energy;
  for (const LayerReport& layer : spec.layers) energy.add(layer.energy);
  return text({{"device", spec.device},
               {"drop", spec.drop},
               {"confidence", spec.confidence},
               {"repeats", spec.repeats},
               {"samples", spec.samples},
               {"age_s", spec.age_s},
               {"digital_accuracy", spec.digital_accuracy},
               {"accuracy_asked", json(spec.accuracy_asked)},
               {"accuracy_best", json(spec.accuracy_best)},
               {"accuracy", json(spec.accuracy)},
               {"lost_bound", number(spec.lost_bound)},
               {"reached", spec.reached},
               {"repeats_needed", spec.repeats_needed},
               {"joules_per_sample_asked", number(spec.asked_j)},
               {"joules_per_sample_common", number(spec.common_j)},
               {"joules_per_sample", number(spec.sample_j)},
               {"deployments", spec.deployments},
               {"tightened", spec.tightened},
               {"parameters", std::move(axes)},
               {"energy", json(energy)}});
}

std::string settings_json(const Settings& values, const std::map<std::string, std::vector<std::string>>& lists) {
  Json object = json(values);
  for (const auto& [key, list] : lists) object[key] = list;
  return text(object);
}

std::string list_json(const std::vector<Settings>& objects) {
  Json array = Json::array();
  for (const auto& values : objects) array.push_back(json(values));
  return text(array);
}

std::string one_line_json(const Settings& values) { return json(values).dump(); }

}  // namespace lightloop::command
