#include "driver/api/opening.hpp"

#include <algorithm>

#include "driver/api/device_list.hpp"

namespace lightloop {

bool takes_seed(const Registry& registry, const std::string& address) {
  return std::ranges::all_of(device_list(address), [&](const std::string& one) {
    const std::vector<ParamInfo> open = registry.open_params(one);
    return std::ranges::any_of(open, [](const ParamInfo& info) { return info.name == "seed"; });
  });
}

Settings without_session(Settings settings) {
  std::erase_if(settings, [](const auto& one) { return one.first.starts_with("session."); });
  return settings;
}

std::string without_session(const std::string& address) {
  DeviceAddress parsed = parse_address(address);
  parsed.settings = without_session(std::move(parsed.settings));
  return to_string(parsed);
}

}  // namespace lightloop
