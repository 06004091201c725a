// Finds a rule by name.
#include "core/error.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

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
