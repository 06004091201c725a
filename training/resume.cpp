#include "training/resume.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {

/// Settings of a run that have no influence on its weights. The first lot belongs to one call of the program, the
/// second goes on with the run unless it is said anew.
constexpr const char* kOfOneCall[] = {"threads", "out",     "force", "resume", "max_device_seconds",
                                      "yes",     "dry_run", "record"};
constexpr const char* kKept[] = {"baseline", "data_dir", "alignment_every", "checkpoint_every", "layer_metrics"};

bool is_free(const std::string& name) {
  return std::ranges::find(kOfOneCall, name) != std::end(kOfOneCall) ||
         std::ranges::find(kKept, name) != std::end(kKept);
}

void refuse_changes(const std::string& space, const Settings& now, const Settings& before) {
  for (const auto& [key, value] : now) {
    if (space == "train." && is_free(key)) continue;
    const auto stored = before.find(key);
    if (stored == before.end() || stored->second != value)
      throw InvalidParameter(space + key, to_string(value),
                             stored == before.end() ? "not set in the run" : "the run has " + to_string(stored->second),
                             "leave it out to resume, or start another run with train.init_from");
  }
}

}  // namespace

TrainSettings stored_settings(const RunFile& stored) {
  TrainSettings merged = stored.asked;
  for (const auto& [key, value] : stored.train.all())
    if (idle(key, stored.train).empty()) merged["train." + key] = value;
  for (const auto& [key, value] : stored.rule.all()) merged["rule." + key] = value;
  // runs begun before PEPITA could show the change alone
  if (stored.train.text("rule") == "pepita") merged.try_emplace("rule.shows", std::string("input"));
  for (const char* name : kOfOneCall) merged.erase("train." + std::string(name));
  // encoding and readout are already part of the stored projection settings
  merged.erase("train.encoding");
  merged.erase("train.readout");
  return merged;
}

TrainConfig resumed_config(const TrainSettings& settings, const RunFile& stored) {
  TrainSettings merged = stored_settings(stored);
  const TrainConfig before = resolve_config(merged);
  // first: another rule does not know the settings of this one
  if (const auto rule = settings.find("train.rule"); rule != settings.end())
    refuse_changes("train.", {{"rule", rule->second}}, before.train.all());
  for (const auto& [key, value] : settings) merged[key] = value;
  TrainConfig now = resolve_config(merged);
  refuse_changes("train.", now.train.all(), [&] {
    Settings all = before.train.all();
    for (const char* name : {"encoding", "readout"}) all[name] = now.train.value(name);  // compared as projection.*
    return all;
  }());
  refuse_changes("rule.", now.rule.all(), before.rule.all());
  refuse_changes("projection.", now.projection, before.projection);
  refuse_changes("device.", now.device, before.device);
  refuse_changes("layer.", now.layer, before.layer);
  return now;
}

}  // namespace lightloop
