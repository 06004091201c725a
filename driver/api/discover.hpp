#pragma once
// What is there? All backends and all configured devices are asked at once; none can make the others wait.
#include <chrono>
#include <string>
#include <vector>

#include "driver/api/registry.hpp"

namespace lightloop {

/// Asks every backend that can look around, and opens (and closes again) every device of the list `configured`, all in
/// parallel. Who has not answered after `limit` is listed with that as its problem; the call never takes much longer
/// than `limit`, also when a vendor's library hangs. Sorted by address; simulated models are not among them.
std::vector<Found> discover(const Registry& registry, const std::vector<Found>& configured = {},
                            std::chrono::milliseconds limit = std::chrono::seconds(3));

/// The devices the TOML file named by LIGHTLOOP_DEVICES lists in its table [devices] (name = "device string"), each
/// with its name as summary. A file that cannot be read is one entry with that problem. Empty without the variable.
std::vector<Found> configured_devices();

}  // namespace lightloop
