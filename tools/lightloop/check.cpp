// `lightloop check DEVICE`: the conformance suite, claim by claim.
#include <cstdio>

#include "driver/api/conformance.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"

namespace lightloop::command {

int check(const std::string& address, const Settings& settings, Format format, const Registry& registry) {
  registry.open(address, settings)->close();  // a wrong address is the caller's mistake, not a failed check
  const auto results = check_device([&](const Settings& more) {
    Settings all = settings;
    for (const auto& [key, value] : more) all[key] = value;
    return registry.open(address, all);
  });
  int counts[3] = {};
  for (const auto& result : results) {
    constexpr const char* kMarks[] = {"✓", "✗", "–"};
    const auto outcome = static_cast<std::size_t>(result.outcome);
    ++counts[outcome];
    if (format == Format::json) continue;
    std::printf("%s %s%s%s\n", kMarks[outcome], result.name.c_str(), result.detail.empty() ? "" : ": ",
                result.detail.c_str());
  }
  if (format == Format::json)
    std::fputs(check_json(address, results).c_str(), stdout);
  else
    std::printf("%s: %d passed, %d failed, %d skipped\n", address.c_str(), counts[0], counts[1], counts[2]);
  return counts[1] == 0 ? kDone : kFailed;
}

}  // namespace lightloop::command
