#include "training/parts.hpp"

#include <algorithm>
#include <filesystem>

#include "training/run_file.hpp"

namespace lightloop {
namespace {

/// "run.h5", "bp" -> "run-bp.h5"
std::string beside(const std::string& out, const std::string& rule) {
  const std::filesystem::path path(out);
  return (path.parent_path() / (path.stem().string() + "-" + rule + path.extension().string())).string();
}

std::string out_of(const TrainSettings& settings) {
  for (const char* key : {"train.out", "train.resume"})
    if (const auto found = settings.find(key); found != settings.end()) return to_string(found->second);
  return {};
}

/// The file that `all`, which with_stored() has made, goes on with; "" where nothing is resumed.
std::string resumed(const TrainSettings& all) {
  const auto found = all.find("train.resume");
  const std::string word = found == all.end() ? "" : to_string(found->second);
  return word == "false" || word == "no" ? "" : word;
}

TrainResult stored_result(const TrainSettings& settings, const std::string& file) {
  with_stored(settings);  // it must be the run that is asked for
  return result_of(load_run(file), file);
}

std::vector<Part> baseline_parts(const TrainSettings& settings, const std::string& out) {
  const bool force = settings.contains("train.force") && settings.at("train.force") == Value(true);
  const bool resumes = !resumed(settings).empty();
  std::vector<Part> parts;
  for (TrainSettings baseline : baselines(settings)) {
    Part& part = parts.emplace_back(Part{std::move(baseline), {}});
    if (out.empty()) continue;
    const std::string file = beside(out, to_string(part.settings.at("train.rule")));
    const RunState state = force ? RunState::missing : run_state(file);
    const bool goes_on = resumes && (state == RunState::unfinished || state == RunState::complete);
    if (!force && !goes_on) refuse_existing(file);
    part.settings[goes_on ? "train.resume" : "train.out"] = file;
    if (goes_on && state == RunState::complete) part.done = stored_result(part.settings, file);
  }
  return parts;
}

/// The main run: taken from its file when train.resume names a complete one that still wants baselines.
Part main_part(const TrainSettings& asked, const TrainSettings& all, const std::vector<Part>& baselines) {
  Part part{asked, {}};
  const std::string file = resumed(all);
  if (file.empty()) return part;
  const bool wanting = std::ranges::any_of(baselines, [](const Part& baseline) { return !baseline.done; });
  if (wanting && run_state(file) == RunState::complete) part.done = stored_result(all, file);
  return part;
}

}  // namespace

std::vector<Part> parts_of(const TrainSettings& settings) {
  const TrainSettings all = with_stored(settings);
  std::vector<Part> parts = baseline_parts(all, out_of(all));
  parts.insert(parts.begin(), main_part(settings, all, parts));
  return parts;
}

}  // namespace lightloop
