#pragma once
// What the contract says, as messages and back. Whatever comes from the other side is checked here.
#include <exception>
#include <string>
#include <string_view>

#include "driver/api/device.hpp"

namespace lightloop::v1 {
class Description;
class Error;
class Report;
class Settings;
}  // namespace lightloop::v1

namespace lightloop::remote {

inline constexpr std::uint32_t kVersion = 1;  ///< of the protocol; see remote.proto

struct Described {
  DeviceInfo info;
  ParamSet settings;
  bool ensemble = false;
};

/// `max_batch` is lowered so that neither the input nor the output of a batch exceeds `max_bytes`.
void put(Device& device, std::uint64_t max_bytes, v1::Description& to);
void put(const std::vector<ParamInfo>& parameters, v1::Description& to);
/// Throws LinkError for a description that cannot be.
Described take(const v1::Description& from);
std::vector<ParamInfo> take_parameters(const v1::Description& from);

void put(const lightloop::Settings& from, v1::Settings& to);
lightloop::Settings take(const v1::Settings& from);

void put(const RunReport& from, v1::Report& to);
RunReport take(const v1::Report& from);

/// Keeps the class and the parts of an Error; what else is thrown becomes an InternalError.
void put(const std::exception& from, v1::Error& to);
/// Throws what was put.
[[noreturn]] void raise(const v1::Error& from);

/// One line of valid UTF-8 of at most `most` bytes: control characters and broken sequences become '?'.
std::string clean(std::string_view text, std::size_t most = 4000);

}  // namespace lightloop::remote
