#include "tools/lightloop/script.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/error.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {
namespace {
/// As the system takes them; valid as long as `words`.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  return arguments;
}

/// Runs a program to its end; its exit status, 128 + signal, or 127 when it cannot be started.
int run_program(const std::vector<std::string>& words, bool silent) {
  std::vector<char*> arguments = pointers(words);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (silent)
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return 127;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::string> pythons() {
  std::vector<std::string> found;
  if (const char* named = std::getenv("LIGHTLOOP_PYTHON")) return {named};
  if (const char* environment = std::getenv("VIRTUAL_ENV")) found.push_back(std::string(environment) + "/bin/python3");
  found.push_back("/usr/bin/python3");
  found.push_back("python3");
  return found;
}
}  // namespace

std::filesystem::path program() { return std::filesystem::read_symlink("/proc/self/exe"); }

std::filesystem::path shared_file(const std::string& name) {
  return program().parent_path().parent_path() / "share" / "lightloop" / name;
}

namespace {
/// The command line of a script, with the first Python that can import `modules`; empty when there is none.
std::vector<std::string> words_of(const std::filesystem::path& script, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& modules) {
  if (!std::filesystem::exists(script))
    throw FileError(script.string(), "not found", "", "It is installed beside the command; install Lightloop again.");
  setenv("LIGHTLOOP", program().c_str(), 1);
  const std::string probe = modules.empty() ? "pass" : "import " + join(modules, ", ");
  for (const auto& python : pythons()) {
    if (run_program({python, "-I", "-c", probe}, true) != 0) continue;
    std::vector<std::string> words = {python, "-I", script.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }
  return {};
}
}  // namespace

int run_script(const std::filesystem::path& script, const std::vector<std::string>& arguments,
               const std::vector<std::string>& modules) {
  const auto words = words_of(script, arguments, modules);
  return words.empty() ? -1 : run_program(words, false);
}

void become_script(const std::filesystem::path& script, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& modules) {
  const auto words = words_of(script, arguments, modules);
  if (!words.empty()) execvp(words[0].c_str(), pointers(words).data());
}

}  // namespace lightloop::command
