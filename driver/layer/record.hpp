#pragma once
// Recordings of the devices behind a network's layers: one file for each.
#include <memory>
#include <string>
#include <vector>

#include "driver/layer/tile_devices.hpp"
#include "driver/recorder/recording.hpp"

namespace lightloop {

/// Records every opened device from now on, in files that `files` counts: "run.h5" of one device, "run-{0..2}.h5" of
/// three, in the order in which they were opened. Older files are replaced. "replay:run-{0..2}.h5" names the devices
/// that answer with them. Throws InvalidParameter where there are not as many files as devices, and FileError.
std::vector<std::shared_ptr<Recording>> record(const TileDevices& devices, const std::string& files);

}  // namespace lightloop
