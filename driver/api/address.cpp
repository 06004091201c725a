#include <filesystem>

#include "core/error.hpp"
#include "driver/api/device_list.hpp"
#include "driver/api/registry.hpp"

namespace lightloop {
namespace {
DeviceAddress from_file(const std::string& path) {
  const Settings file = read_toml(path);
  const auto text_at = [&](const std::string& key) -> const std::string* {
    const auto found = file.find(key);
    return found == file.end() ? nullptr : std::get_if<std::string>(&found->second);
  };
  const std::string* plain = text_at("device");
  const std::string* inside = text_at("device.address");
  if ((plain != nullptr) == (inside != nullptr))
    throw FileError(
        path, plain ? "both device and device.address" : "names no device", "",
        "Write device = \"sim:opu\" and a table [settings], or a table [device] with address = \"sim:opu\".");
  const std::string& address = plain ? *plain : *inside;
  if (address.ends_with(".toml"))
    throw FileError(path, "device = \"" + address + "\"", "", "A device file names a device, not another file.");
  const std::string table = plain ? "settings." : "device.";
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : file) {
    if (key == "device" || key == "device.address") continue;
    if (!key.starts_with(table))
      throw UnknownName(path + " key", key, "device and [" + table.substr(0, table.size() - 1) + "]",
                        "Device settings belong into the table [" + table.substr(0, table.size() - 1) + "].");
    parsed.settings[key.substr(table.size())] = value;
  }
  return parsed;
}
}  // namespace

DeviceAddress parse_address(const std::string& text) {
  if (text.ends_with(".toml") && text.find('@') == std::string::npos && text.find(',') == std::string::npos &&
      (text.find(':') == std::string::npos || std::filesystem::exists(text)))
    return from_file(text);
  if (const std::size_t several = split_devices(text).size(); several > 1)
    throw InvalidParameter("device string", '"' + text + '"', "one device; these are " + std::to_string(several),
                           "A network takes one for each of its tiles (--layers, eval --device, ll.deploy).");
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text.find(',') < colon)
    throw InvalidParameter("device string", '"' + text + '"', "backend:target,key=value,... or file.toml",
                           "A simulator is written sim:MODEL, for example sim:opu,camera.bits=8.");
  DeviceAddress address{text.substr(0, colon), text.substr(colon + 1), {}};
  const std::size_t comma = address.target.find(',');
  if (comma != std::string::npos && address.target.find('@') > comma) {
    const std::string tail = address.target.substr(comma + 1);
    if (tail.find_first_not_of(" \t") == std::string::npos)
      throw InvalidParameter("device string", '"' + text + '"', "nothing after the comma",
                             "Write key=value there, or leave the comma out.");
    address.settings = parse_settings(tail);
    address.target.resize(comma);
  }
  if (address.target.empty())
    throw InvalidParameter("device string", '"' + text + '"', "no target after \"" + address.backend + ":\"",
                           "Name a model, an address or a file there.");
  return address;
}

std::string to_string(const DeviceAddress& address) {
  const std::string settings = format_settings(address.settings);
  return address.backend + ":" + address.target + (settings.empty() ? "" : ",") + settings;
}

}  // namespace lightloop
