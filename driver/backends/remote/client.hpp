#pragma once
// A device, or a twin, of a server as one of ours.
#include <memory>
#include <string>

#include "driver/api/device.hpp"
#include "driver/api/twin.hpp"
#include "driver/backends/remote/link.hpp"

namespace lightloop::remote {

/// Takes the device `name` of the server at the other end of `link`. Throws UnknownName, Busy, and what opening throws
/// there.
std::unique_ptr<Device> open_device(std::unique_ptr<Link> link, const std::string& name, const Settings& settings);
std::unique_ptr<Twin> open_twin(std::unique_ptr<Link> link, const std::string& name, const Settings& settings);
std::vector<ParamInfo> open_params(Link& link, const std::string& name);

}  // namespace lightloop::remote
