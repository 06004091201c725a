// `lightloop compare`: a grid of rules and devices, each run a `lightloop train`.
#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/script.hpp"

namespace lightloop::command {

int compare(const CompareRequest& request) {
  std::vector<std::string> arguments = {"--rules", request.rules, "--devices", request.devices,
                                        "--seeds", request.seeds, "--jobs",    std::to_string(request.jobs),
                                        "--out",   request.out};
  if (request.force) arguments.push_back("--force");
  if (request.json) arguments.push_back("--json");
  if (request.quiet) arguments.push_back("--quiet");
  arguments.push_back("--");
  arguments.insert(arguments.end(), request.train.begin(), request.train.end());
  become_script(shared_file("compare.py"), arguments, {});
  throw Unsupported("compare", "no Python 3 found", "", "Install python3, or name one in $LIGHTLOOP_PYTHON.");
}

}  // namespace lightloop::command
