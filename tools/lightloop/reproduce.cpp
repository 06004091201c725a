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
/// A paper is a folder with a script, or with the facts that runs.py beside the folders makes a table of.
struct Paper {
  std::filesystem::path facts;
  bool table = false;
};

Paper paper_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  const auto folder = shared_file("papers") / name;
  if (std::filesystem::exists(folder / "runs.toml")) return {folder / "runs.toml", true};
  return {folder / "reproduce.py"};
}

/// What stands in quotes in the first line: of the script's own description, or the title among the facts.
std::string summary_of(const Paper& paper) {
  std::ifstream file(paper.facts);
  const std::string quotes = paper.table ? "\"" : "\"\"\"";
  for (std::string line; std::getline(file, line);) {
    const auto at = line.find(quotes);
    if (at == line.npos) continue;
    const std::string rest = line.substr(at + quotes.size());
    return paper.table ? rest.substr(0, rest.rfind(quotes)) : rest;
  }
  return {};
}

std::vector<std::string> papers() {
  std::vector<std::string> names;
  if (std::filesystem::is_directory(shared_file("papers")))
    for (const auto& entry : std::filesystem::directory_iterator(shared_file("papers")))
      if (std::filesystem::exists(paper_of(entry.path().filename().string()).facts))
        names.push_back(dashed(entry.path().filename().string()));
  std::sort(names.begin(), names.end());
  return names;
}
}  // namespace

int reproduce(const ReproduceRequest& request) {
  const auto known = papers();
  if (request.name.empty() && request.json) {
    std::vector<Settings> list;
    for (const auto& name : known) list.push_back({{"name", name}, {"paper", summary_of(paper_of(name))}});
    std::fputs(list_json(list).c_str(), stdout);
    return kDone;
  }
  if (request.name.empty()) {
    std::vector<std::vector<std::string>> rows = {{"name", "paper"}};
    for (const auto& name : known) rows.push_back({name, summary_of(paper_of(name))});
    std::fputs(table(rows).c_str(), stdout);
    return kDone;
  }
  if (std::find(known.begin(), known.end(), dashed(request.name)) == known.end()) {
    const auto near = nearest(request.name, known);
    throw UnknownName("paper", "\"" + request.name + "\"", "known: " + join(known, ", "),
                      near ? "Did you mean \"" + *near + "\"?" : "");
  }
  const Paper paper = paper_of(request.name);
  std::vector<std::string> arguments = {"--out", request.out.empty() ? dashed(request.name) : request.out};
  if (paper.table) arguments.insert(arguments.begin(), paper.facts.string());
  if (request.full) arguments.push_back("--full");
  if (request.json) arguments.push_back("--json");
  paper.table ? become_script(shared_file("papers") / "runs.py", arguments, {"tomllib"})
              : become_script(paper.facts, arguments, {});
  throw Unsupported("reproduce", paper.table ? "no Python 3.11 found" : "no Python 3 found", "",
                    "Install python3, or name one in $LIGHTLOOP_PYTHON.");
}

}  // namespace lightloop::command
