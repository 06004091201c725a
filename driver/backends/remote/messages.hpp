#pragma once
// What the contract says, as messages and back. Whatever comes from the other side is checked here.
#include <exception>
#include <string>
#include <string_view>

#include "driver/api/device.hpp"

namespace lightloop::v0 {
class Description;
class Error;
class Report;
class Settings;
}  // namespace lightloop::v0

namespace lightloop::remote {

inline constexpr std::uint32_t kVersion = 0;  ///< of the protocol; see remote.proto

struct Described {
  DeviceInfo info;
  ParamSet settings;
  bool ensemble = false;
};

/// `max_batch` is lowered so that neither the input nor the output of a batch exceeds `max_bytes`.
void put(Device& device, std::uint64_t max_bytes, v0::Description& to);
void put(const std::vector<ParamInfo>& parameters, v0::Description& to);
/// Throws LinkError for a description that cannot be.
Described take(const v0::Description& from);
std::vector<ParamInfo> take_parameters(const v0::Description& from);

void put(const lightloop::Settings& from, v0::Settings& to);
lightloop::Settings take(const v0::Settings& from);

void put(const RunReport& from, v0::Report& to);
RunReport take(const v0::Report& from);

/// Keeps the class and the parts of an Error; what else is thrown becomes an InternalError.
void put(const std::exception& from, v0::Error& to);
/// Throws what was put.
[[noreturn]] void raise(const v0::Error& from);

/// One line of valid UTF-8 of at most `most` bytes: control characters and broken sequences become '?'.
std::string clean(std::string_view text, std::size_t most = 4000);

}  // namespace lightloop::remote
