// `lightloop rules`: the learning rules, or one of them, with equation, device cost, source and settings; also the
// source of docs/rules.md.
#include <cstdio>

#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"
#include "training/rules/rule.hpp"

namespace lightloop::command {
namespace {

/// What the user's data must be like.
const char* of_data(const RuleInfo& info) {
  return info.in_features ? "the label takes the place of the first features, one per class (rule.label_features): put "
                            "one column of zeros "
                            "per class before features that matter (the vowel sets have them, images have margins)"
                          : nullptr;
}

/// What may be asked of the network, as the trainer checks it.
std::string targets_of(const RuleInfo& info) {
  return std::string("one label per sample") + (info.by_error || info.tokens ? ", a label per token" : "") +
         (info.by_error || info.real_targets ? ", real numbers (--loss mse)" : "");
}

void print_text(const RuleInfo& info) {
  std::printf("%s: %s\n  %s\n  needs: %s\n  targets: %s\n  cost: %s\n  source: %s\n", info.name.c_str(),
              info.summary.c_str(), info.equation.c_str(), to_string(info.needs).c_str(), targets_of(info).c_str(),
              info.cost.c_str(), info.source.c_str());
  if (const char* data = of_data(info)) std::printf("  data: %s\n", data);
  if (!info.maps) std::printf("  not behind physics (--map): %s\n", info.no_map.c_str());
  for (const auto& param : info.params)
    std::printf("  rule.%s (default %s, %s): %s\n", param.name.c_str(), default_of(param).c_str(),
                range_of(param).c_str(), param.help.c_str());
  std::puts("");
}

void print_markdown(const RuleInfo& info) {
  std::printf("\n## %s\n\n%s.\n\n`%s`\n\nNeeds: %s. Targets: %s. Cost: %s. Source: %s.\n", info.name.c_str(),
              info.summary.c_str(), info.equation.c_str(), to_string(info.needs).c_str(), targets_of(info).c_str(),
              info.cost.c_str(), info.source.c_str());
  if (const char* data = of_data(info)) std::printf("\nData: %s.\n", data);
  if (!info.maps) std::printf("\nNot behind physics (`--map`): %s.\n", info.no_map.c_str());
  if (info.params.empty()) return;
  std::puts("\n| setting | default | range | what it is |\n|---|---|---|---|");
  for (const auto& param : info.params)
    std::printf("| `rule.%s` | %s | %s | %s |\n", param.name.c_str(), default_of(param).c_str(),
                in_table(range_of(param)).c_str(), in_table(param.help).c_str());
}

}  // namespace

int rules(const std::string& name, Format format) {
  std::vector<RuleModel> shown = name.empty() ? lightloop::rules() : std::vector{rule(name)};
  if (format == Format::json) {
    std::fputs(rules_json(shown).c_str(), stdout);
    return kDone;
  }
  if (format == Format::markdown && name.empty())
    std::puts(
        "# Learning rules\n\nMade by `lightloop rules --markdown`. Choose one with `--rule NAME`, set it with `--set "
        "rule.KEY=VALUE`. delta_l is the teaching signal at the inputs a_l of layer l, e = softmax(a_L) - y, f' the "
        "derivative of the non-linearity; dW_l = delta_l h_{l-1}^T unless the rule says otherwise. [Adding a "
        "rule](adding_a_rule.md); [many rules on many devices](comparing.md) in one command. Spiking networks are out "
        "of "
        "scope: layers and rules here know no time inside a sample.");
  for (const auto& [info, make] : shown) format == Format::markdown ? print_markdown(info) : print_text(info);
  return kDone;
}

}  // namespace lightloop::command
