#pragma once
// What programmable devices put into their snapshots beside their state: which device it is, and its programme.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/param.hpp"
#include "driver/api/frames.hpp"

namespace lightloop {

/// Begins a snapshot: its version, and the settings that need a re-open. Devices that agree in them are built alike.
void put_head(ByteWriter& bytes, std::uint8_t version, const ParamSet& params);
/// Reads what put_head() wrote. False for an older version, which has nothing but its number here: such a snapshot
/// leaves the programme as it is. Throws InvalidParameter for versions below `oldest` and above `version`, and, naming
/// all settings that differ, for a device that was built otherwise.
bool get_head(ByteReader& bytes, std::uint8_t version, std::uint8_t oldest, const ParamSet& params,
              const std::string& model);

/// The codes as they were written last, in the bytes that frames of `format` have.
void put_codes(ByteWriter& bytes, std::span<const std::uint16_t> codes, const FrameFormat& format);
/// Throws InvalidParameter also for a code beyond the highest.
std::vector<std::uint16_t> get_codes(ByteReader& bytes, const FrameFormat& format);

}  // namespace lightloop
