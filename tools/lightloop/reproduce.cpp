// `lightloop reproduce NAME`: runs the script of a paper and hands its exit status on.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/script.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {
namespace {
/// The first line of the script's own description.
std::string summary_of(const std::filesystem::path& script) {
  std::ifstream file(script);
  for (std::string line; std::getline(file, line);)
    if (const auto quotes = line.find("\"\"\""); quotes != line.npos) return line.substr(quotes + 3);
  return {};
}

std::vector<std::string> papers() {
  std::vector<std::string> names;
  if (std::filesystem::is_directory(shared_file("papers")))
    for (const auto& entry : std::filesystem::directory_iterator(shared_file("papers")))
      if (std::filesystem::exists(entry.path() / "reproduce.py"))
        names.push_back(dashed(entry.path().filename().string()));
  std::sort(names.begin(), names.end());
  return names;
}

std::filesystem::path script_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return shared_file("papers") / name / "reproduce.py";
}
}  // namespace

int reproduce(const ReproduceRequest& request) {
  const auto known = papers();
  if (request.name.empty() && request.json) {
    std::vector<Settings> list;
    for (const auto& name : known) list.push_back({{"name", name}, {"paper", summary_of(script_of(name))}});
    std::fputs(list_json(list).c_str(), stdout);
    return kDone;
  }
  if (request.name.empty()) {
    std::vector<std::vector<std::string>> rows = {{"name", "paper"}};
    for (const auto& name : known) rows.push_back({name, summary_of(script_of(name))});
    std::fputs(table(rows).c_str(), stdout);
    return kDone;
  }
  if (std::find(known.begin(), known.end(), dashed(request.name)) == known.end()) {
    const auto near = nearest(request.name, known);
    throw UnknownName("paper", "\"" + request.name + "\"", "known: " + join(known, ", "),
                      near ? "Did you mean \"" + *near + "\"?" : "");
  }
  std::vector<std::string> arguments = {"--out", request.out.empty() ? dashed(request.name) : request.out};
  if (request.full) arguments.push_back("--full");
  if (request.json) arguments.push_back("--json");
  const int status = run_script(script_of(request.name), arguments, {});
  if (status < 0)
    throw Unsupported("reproduce", "no Python 3 found", "", "Install python3, or name one in $LIGHTLOOP_PYTHON.");
  return status;
}

}  // namespace lightloop::command
