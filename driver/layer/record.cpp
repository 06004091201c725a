#include "driver/layer/record.hpp"

#include "core/error.hpp"
#include "driver/api/device_list.hpp"

namespace lightloop {
namespace {

/// As many files as there are devices, named like `files`: its first range counts them, its other ones go.
std::string numbered(const std::string& files, std::size_t devices) {
  const std::size_t open = files.find('{'), close = files.rfind('}');
  const bool ranges = open != std::string::npos && close != std::string::npos && open < close;
  std::string before = files.substr(0, ranges ? open : files.rfind(".h5"));
  const std::string behind = ranges ? files.substr(close + 1) : ".h5";
  const bool dash = before.ends_with('-');
  if (devices == 1) return (dash ? before.substr(0, before.size() - 1) : before) + behind;
  return before + (ranges || dash ? "{0.." : "-{0..") + std::to_string(devices - 1) + "}" + behind;
}

}  // namespace

std::vector<std::shared_ptr<Recording>> record(const TileDevices& devices, const std::string& files) {
  const std::vector<std::string> paths = counted(files);
  const auto& opened = devices.opened();
  if (paths.size() != opened.size())
    throw InvalidParameter("recording of " + devices.address(),
                           std::to_string(paths.size()) + (paths.size() == 1 ? " file, " : " files, ") + files,
                           std::to_string(opened.size()) + " devices, each with a file of its own",
                           "Number them: " + numbered(files, opened.size()) + ".");
  std::vector<std::shared_ptr<Recording>> recordings;
  for (std::size_t i = 0; i < opened.size(); ++i) recordings.push_back(record(*opened[i]->session, paths[i]));
  return recordings;
}

}  // namespace lightloop
