#include "training/resume.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {

/// Settings of a run that have no influence on its weights.
constexpr const char* kFree[] = {"data_dir", "baseline",  "threads",         "record",           "out",
                                 "resume",   "init_from", "alignment_every", "checkpoint_every", "max_device_seconds",
                                 "yes",      "dry_run"};

void refuse_changes(const std::string& space, const Settings& now, const Settings& before) {
  for (const auto& [key, value] : now) {
    if (space == "train." && std::ranges::find(kFree, key) != std::end(kFree)) continue;
    const auto stored = before.find(key);
    if (stored == before.end() || stored->second != value)
      throw InvalidParameter(space + key, to_string(value),
                             stored == before.end() ? "not set in the run" : "the run has " + to_string(stored->second),
                             "leave it out to resume, or start another run with train.init_from");
  }
}

}  // namespace

TrainConfig resumed_config(const TrainSettings& settings, const RunFile& stored) {
  TrainSettings merged = stored.asked;
  for (const auto& [key, value] : stored.train.all()) merged["train." + key] = value;
  for (const auto& [key, value] : stored.rule.all()) merged["rule." + key] = value;
  for (const char* key : kFree)
    if (const std::string name = key; name != "data_dir") merged.erase("train." + name);
  // encoding and readout are already part of the stored projection settings
  merged.erase("train.encoding");
  merged.erase("train.readout");
  const TrainConfig before = resolve_config(merged);
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
  return now;
}

}  // namespace lightloop
