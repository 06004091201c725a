// `lightloop plot`: one Python plotter draws any file by its kind.
#include <cstdio>
#include <filesystem>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/script.hpp"

namespace lightloop::command {

int plot(const std::vector<std::string>& files, const std::string& out, Format format) {
  for (const auto& file : files) h5::Reader reader(file);  // a file that cannot be read is said so before Python starts
  const std::string picture =
      out.empty() ? std::filesystem::path(files.front()).replace_extension(".png").string() : out;
  std::vector<std::string> arguments = files;
  arguments.insert(arguments.end(), {"-o", picture});
  if (format == Format::json) arguments.push_back("--json");
  const int status = run_script(shared_file("plot.py"), arguments, {"h5py", "matplotlib"});
  if (status < 0 && format == Format::json)
    std::fputs(settings_json({{"picture", ""}, {"reason", "Python with h5py and matplotlib is not there"}}).c_str(),
               stdout);
  else if (status < 0)
    std::puts("No plot: Python with h5py and matplotlib is not there (Debian: python3-h5py python3-matplotlib).");
  return status < 0 ? kDone : status == 0 ? kDone : kFailed;
}

}  // namespace lightloop::command
