#pragma once
// The settings of a run, checked as a whole before anything is opened.
#include <string>

#include "core/param.hpp"
#include "training/optimizer.hpp"
#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

namespace lightloop {

struct TrainConfig {
  ParamSet train, rule;
  Settings projection, device, session, layer;  ///< below these words and a dot, with what the rule asks of them
  const RuleModel* model = nullptr;
  bool digital() const { return train.text("device") == "digital"; }
  bool uses_projection() const { return model->info.needs == Needs::fixed_projection; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(train.integer("seed")); }
};

/// Why setting `key` of a complete `train` has no effect there: its optimizer or schedule is another
/// (ParamInfo::only_with), or the net names its non-linearities. Empty: it has one.
std::string idle(const std::string& key, const ParamSet& train);

/// Throws UnknownName for a key outside train., rule., projection., device., layer., session. or unknown inside them,
/// InvalidParameter for settings that contradict each other or have no effect (idle()), Unsupported for a rule that has
/// no use for a device.
TrainConfig resolve_config(const TrainSettings& settings);

OptimizerSettings optimizer_settings(const ParamSet& train);
Schedule schedule(const ParamSet& train, Index steps_per_epoch);

}  // namespace lightloop
