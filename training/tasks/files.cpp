#include "training/tasks/files.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "training/datasets/dataset.hpp"

namespace lightloop {

std::string find_data_file(const std::string& name, const std::string& data_dir, const std::string& hint) {
  namespace fs = std::filesystem;
  std::string places;
  for (const auto& folder : data_folders(data_dir)) {
    for (const auto& candidate : {fs::path(folder) / name, fs::path(folder) / fs::path(name).filename()})
      if (fs::is_regular_file(candidate)) return candidate.string();
    places += (places.empty() ? "" : ", ") + folder;
  }
  throw FileError(name, "not found", "looked in " + places, hint + " Name its folder in data_dir or $LIGHTLOOP_DATA.");
}

}  // namespace lightloop
