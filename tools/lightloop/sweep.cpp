// `lightloop sweep`: the sweeps of the Python package for those who write TOML.
#include <filesystem>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/script.hpp"

namespace lightloop::command {

int sweep(const SweepRequest& request) {
  if (!std::filesystem::exists(request.file))
    throw FileError(request.file, "not found", "", "Name a TOML file; lightloop sweep --help shows one.");
  const std::string out = request.out.empty()
                              ? std::filesystem::path(request.file).filename().replace_extension(".h5").string()
                              : request.out;
  std::vector<std::string> arguments = {request.file, "-o", out};
  if (request.force) arguments.push_back("--force");
  if (request.json) arguments.push_back("--json");
  if (request.quiet) arguments.push_back("--quiet");
  become_script(shared_file("sweep.py"), arguments, {"numpy", "xarray", "h5netcdf"});
  throw Unsupported("sweep", "Python with numpy, xarray and h5netcdf is not there", "",
                    "Install python3-xarray and python3-h5netcdf, or name a Python in $LIGHTLOOP_PYTHON.");
}

}  // namespace lightloop::command
