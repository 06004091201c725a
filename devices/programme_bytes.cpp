#include "devices/programme_bytes.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {

Settings built_with(const ParamSet& params) {
  Settings settings;
  for (const ParamInfo& info : params.infos())
    if (info.needs_reopen) settings[info.name] = params.value(info.name);
  return settings;
}

void differ(std::string& text, const std::string& name, const std::string& value) {
  text += (text.empty() ? "" : ", ") + name + " = " + value;
}

/// A setting that one of both does not have came with another version of the model: it counts only where it is set.
void check_built(const Settings& then, const ParamSet& params, const std::string& model) {
  std::string there, here;
  for (const auto& [name, value] : then)
    if (!params.has(name)) differ(there, name, to_string(value)), differ(here, name, "unknown");
  for (const auto& [name, value] : built_with(params)) {
    const auto found = then.find(name);
    if (found == then.end() ? params.is_default(name) : to_string(found->second) == to_string(value)) continue;
    differ(there, name, found == then.end() ? "unknown" : to_string(found->second));
    differ(here, name, to_string(value));
  }
  if (!here.empty())
    throw InvalidParameter(model + " snapshot", "of a device with " + there, "this one has " + here,
                           "Open the device with the settings of the one the snapshot was taken from.");
}

}  // namespace

void put_head(ByteWriter& bytes, std::uint8_t version, const ParamSet& params) {
  const std::string built = format_settings(built_with(params));
  bytes.put(version);
  bytes.put(static_cast<std::uint32_t>(built.size()));
  bytes.put_all(std::span<const char>(built));
}

bool get_head(ByteReader& bytes, std::uint8_t version, std::uint8_t oldest, const ParamSet& params,
              const std::string& model) {
  const auto found = bytes.get<std::uint8_t>();
  if (found < oldest || found > version)
    bytes.refuse("version " + std::to_string(found) + ", where " + std::to_string(oldest) + " to " +
                 std::to_string(version) + " are known");
  if (found < version) return false;
  const auto size = bytes.get<std::uint32_t>();
  const auto text = bytes.take(size);
  check_built(parse_settings({reinterpret_cast<const char*>(text.data()), text.size()}), params, model);
  return true;
}

void put_codes(ByteWriter& bytes, std::span<const std::uint16_t> codes, const FrameFormat& format) {
  if (format.bytes() == 2) return bytes.put_all(codes);
  std::vector<std::uint8_t> narrow(codes.size());
  std::ranges::transform(codes, narrow.begin(), [](std::uint16_t code) { return static_cast<std::uint8_t>(code); });
  bytes.put_all(std::span<const std::uint8_t>(narrow));
}

std::vector<std::uint16_t> get_codes(ByteReader& bytes, const FrameFormat& format) {
  const auto size = static_cast<std::size_t>(format.size());
  std::vector<std::uint16_t> codes(size);
  if (format.bytes() == 2) {
    bytes.get_all(std::span<std::uint16_t>(codes));
  } else {
    std::vector<std::uint8_t> narrow(size);
    bytes.get_all(std::span<std::uint8_t>(narrow));
    std::ranges::copy(narrow, codes.begin());
  }
  for (const std::uint16_t code : codes)
    if (code > format.highest()) bytes.refuse("a code of " + std::to_string(code) + " in the programme");
  return codes;
}

}  // namespace lightloop
