// Finds a rule by name; what every rule can do unless it says otherwise.
#include <algorithm>

#include "core/error.hpp"
#include "training/layers/model.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

std::string to_string(Needs needs) {
  switch (needs) {
    case Needs::nothing:
      return "nothing";
    case Needs::fixed_projection:
      return "fixed projection";
    case Needs::forward_only:
      return "forward passes";
    case Needs::two_phases:
      return "two forward phases";
    case Needs::twin:
      return "twin";
  }
  throw InternalError("need of a rule", "not in the list");
}

StepTouch& StepTouch::operator+=(const StepTouch& more) {
  passes += more.passes;
  projections += more.projections;
  writes += more.writes;
  return *this;
}

void Rule::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) {
  Activations activations;
  forward(net, x, activations, {.first_sample = first_sample});
  for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(activations.h.back().row(r), out.row(r).begin());
}

bool has_physics(const RuleContext& context) {
  return context.map || (context.net.model() && !context.net.model()->physics().empty());
}

bool has_physics_between(const RuleContext& context) {
  if (!context.net.model()) return static_cast<bool>(context.map);
  return std::ranges::any_of(context.net.model()->physics(),
                             [](const PhysicalPlace& place) { return place.block > 0 || place.behind_weights; });
}

bool recomputes(const std::string& name, const RuleContext& context) {
  const bool asked = context.params.boolean("recompute");
  if (asked && (has_physics(context) || (context.layers && !context.layers->repeats())))
    throw Unsupported(
        "rule.recompute of rule " + name + (has_physics(context) ? " behind physics" : " on layers of a device"),
        "activities made again have other noise than those whose loss was measured", "",
        "Leave rule.recompute away: the activities of all layers are then held.");
  return asked;
}

const RuleModel& rule(const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const RuleModel& model : rules()) {
    if (model.info.name == name) return model;
    known.push_back(model.info.name);
    list += (list.empty() ? "" : ", ") + model.info.name;
  }
  const auto near = nearest(name, known);
  throw UnknownName("rule", name, list, near ? "did you mean " + *near + "?" : "`lightloop rules` describes them");
}

}  // namespace lightloop
