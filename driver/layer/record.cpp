#include "driver/layer/record.hpp"

#include "core/error.hpp"
#include "driver/api/device_list.hpp"

namespace lightloop {

std::vector<std::shared_ptr<Recording>> record(const TileDevices& devices, const std::string& files) {
  const std::vector<std::string> paths = counted(files);
  const auto& opened = devices.opened();
  if (paths.size() != opened.size())
    throw InvalidParameter("recording of " + devices.address(),
                           std::to_string(paths.size()) + (paths.size() == 1 ? " file, " : " files, ") + files,
                           std::to_string(opened.size()) + " devices, each with a file of its own",
                           "Number them: " + paths.front().substr(0, paths.front().rfind(".h5")) +
                               (opened.size() == 1 ? "" : "-{0.." + std::to_string(opened.size() - 1) + "}") + ".h5.");
  std::vector<std::shared_ptr<Recording>> recordings;
  for (std::size_t i = 0; i < opened.size(); ++i) recordings.push_back(record(*opened[i]->session, paths[i]));
  return recordings;
}

}  // namespace lightloop
