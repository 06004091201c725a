// `lightloop rules`: the learning rules with equation, device cost, source and settings.
#include <cstdio>

#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"
#include "training/rules/rule.hpp"

namespace lightloop::command {

int rules(Format format) {
  if (format == Format::json) {
    std::fputs(rules_json(lightloop::rules()).c_str(), stdout);
    return kDone;
  }
  for (const auto& [info, make] : lightloop::rules()) {
    std::printf("%s: %s\n  %s\n  device: %s\n  source: %s\n", info.name.c_str(), info.summary.c_str(),
                info.equation.c_str(), info.cost.empty() ? "none" : info.cost.c_str(), info.source.c_str());
    for (const auto& param : info.params)
      std::printf("  rule.%s (default %s, %s): %s\n", param.name.c_str(), default_of(param).c_str(),
                  range_of(param).c_str(), param.help.c_str());
    std::puts("");
  }
  return kDone;
}

}  // namespace lightloop::command
