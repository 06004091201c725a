#pragma once
// Python scripts that come with the command: the plotter and the reproduced papers.
#include <filesystem>
#include <string>
#include <vector>

namespace lightloop::command {

/// The running program's own file.
std::filesystem::path program();
/// share/lightloop/NAME beside the folder of the program, in the build tree as in an installed one.
std::filesystem::path shared_file(const std::string& name);

/// Runs a script with the first Python that can import `modules`: $LIGHTLOOP_PYTHON, the active virtual environment's,
/// /usr/bin/python3, python3 on the PATH. The script finds this command in $LIGHTLOOP. Returns its exit status, or
/// nothing (-1) when no Python has the modules. Throws FileError when the script is not there.
int run_script(const std::filesystem::path& script, const std::vector<std::string>& arguments,
               const std::vector<std::string>& modules);
/// The same, but this process becomes the script, so that signals reach it. Returns when no Python has the modules.
void become_script(const std::filesystem::path& script, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& modules);

}  // namespace lightloop::command
