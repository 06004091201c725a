// `lightloop check DEVICE`: the conformance suite, claim by claim.
#include <cstdio>
#include <filesystem>

#include "driver/api/conformance.hpp"
#include "driver/recorder/check_recording.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"

namespace lightloop::command {

int check(const std::string& address, const Settings& settings, const RecordOptions& record, Format format,
          const Registry& registry) {
  const std::string& file = record.file;
  if (!file.empty() && !record.force && std::filesystem::exists(file))
    throw FileError(file, "exists already", "", "Name another file, or replace it with --force.");
  std::unique_ptr<Candidate> candidate = registry.candidate(address, settings);
  CheckRecording* recording = nullptr;
  if (!file.empty()) {
    auto recorded = std::make_unique<CheckRecording>(file, address, std::move(candidate));
    recording = recorded.get();
    candidate = std::move(recorded);
  }
  const auto results = check_device(*candidate);
  if (recording) recording->close();
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
