// `lightloop check DEVICE --physics`: what the model measures on itself, beside the formulas.
#include <cstdio>

#include "core/units.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {

int physics(const std::string& address, const Settings& settings, Format format, const Registry& registry) {
  const std::vector<PhysicsRow> rows = registry.physics(address, settings);
  std::vector<std::vector<std::string>> cells{{"", "quantity", "formula gives", "measured", "within", "formula"}};
  int failed = 0, skipped = 0;
  for (const PhysicsRow& row : rows) {
    const auto text = [&](double value) { return format_quantity(value, row.unit); };
    failed += !row.skipped && !row.agrees();
    skipped += row.skipped;
    if (row.skipped)
      cells.push_back({"–", row.name, "", "", "", row.formula + " (skipped: " + row.detail + ")"});
    else
      cells.push_back({row.agrees() ? "✓" : "✗", row.name, text(row.expected), text(row.measured), text(row.tolerance),
                       row.formula + (row.detail.empty() ? "" : " (" + row.detail + ")")});
  }
  if (format == Format::json) {
    std::fputs(physics_json(address, rows).c_str(), stdout);
  } else {
    std::fputs(table(cells).c_str(), stdout);
    std::printf("%s: %d agree, %d do not, %d skipped\n", address.c_str(),
                static_cast<int>(rows.size()) - failed - skipped, failed, skipped);
  }
  return failed == 0 ? kDone : kFailed;
}

}  // namespace lightloop::command
