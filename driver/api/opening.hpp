#pragma once
// What a device string leaves to whoever opens it, and what in it is the session's.
#include <string>

#include "driver/api/registry.hpp"

namespace lightloop {

/// Whether the device behind a device string, or every one that it names (device_list), has a `seed` that the string
/// leaves to whoever opens it. False where the backend cannot tell before the device is open (Registry::open_params).
/// Throws as parse_address.
bool takes_seed(const Registry& registry, const std::string& address);
/// The same without what begins with "session.": of a device string, and of settings laid over one.
std::string without_session(const std::string& address);
Settings without_session(Settings settings);

}  // namespace lightloop
