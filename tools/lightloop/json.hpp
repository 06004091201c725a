#pragma once
// Everything --json prints, in one translation unit (the JSON header is slow to compile).
#include <map>
#include <string>
#include <vector>

#include "driver/api/conformance.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/layer.hpp"
#include "training/datasets/dataset.hpp"
#include "training/report/sensitivity.hpp"
#include "training/report/spec.hpp"
#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

namespace lightloop::command {

/// Keys test_accuracy, train_seconds, samples_per_second, device_frames, device_seconds, device_joules, alignment (per
/// hidden layer, null where there was nothing to compare), seed, weights_sha256 and more; baselines as an array.
std::string run_json(const TrainResult& run, const std::vector<TrainResult>& baselines);
std::string plan_json(const TrainPlan& plan);
/// Keys models (the catalogue), found (address, summary) and failed (address, problem).
std::string devices_json(const std::vector<DeviceModel>& models, const std::vector<Found>& found);
std::string rules_json(const std::vector<RuleModel>& rules);
std::string datasets_json(const std::vector<KnownDataset>& sets);
/// Where the two parts of a set were found, their sizes and classes.
std::string dataset_json(const std::string& name, const TrainTest& data);
/// Key rows: quantity, formula, unit, expected, measured, tolerance, agrees (null where skipped), detail.
std::string physics_json(const std::string& device, const std::vector<PhysicsRow>& rows);
std::string check_json(const std::string& device, const std::vector<CheckResult>& results);
/// `values` as one object, with the arrays layers (frames, seconds, joules ... of each), energy (component, events,
/// joules: of all layers together) and latency (component, seconds), whose sum is latency_seconds.
std::string analog_json(const Settings& values, const std::vector<LayerReport>& layers,
                        const std::vector<LatencyPart>& latency);
std::string sensitivity_json(const Sensitivity& report);
std::string spec_json(const Spec& spec);
/// Flat keys and values as one object; `lists` are added to it.
std::string settings_json(const Settings& values, const std::map<std::string, std::vector<std::string>>& lists = {});
std::string list_json(const std::vector<Settings>& objects);
std::string one_line_json(const Settings& values);

}  // namespace lightloop::command
