#pragma once
// What writer and reader of a recording agree on. Internal to the recorder.
#include <cstdint>
#include <span>
#include <string>

#include "core/param.hpp"
#include "driver/api/device.hpp"

namespace lightloop::recording {

inline constexpr std::int64_t kVersion = 1;       ///< frozen: what there is keeps its name, type and meaning
inline constexpr std::int64_t kMinorVersion = 1;  ///< since 1: /calls, which a reader of minor 0 finds empty of events
inline constexpr const char* kKind = "recording";
inline constexpr Index kNoteBytes = 64;  ///< of text in one row of /notes

/// Tables of the file. Rows of the others count only once an event points at them.
enum Table : std::size_t { kEvents, kFrames, kProgrammes, kNotes };
enum class Event : std::uint8_t { run, configure, program, reset, restore };

/// The columns of /events: the kind, these whole numbers, these costs. Older files end with the first kFirstNumbers.
inline constexpr const char* kEventNumbers[] = {"first", "count",     "first_frame_id", "pass",      "generation",
                                                "codes", "saturated", "note_first",     "note_bytes"};
inline constexpr std::size_t kFirstNumbers = 7;
struct EventCost {
  const char *name, *unit;
};
inline constexpr EventCost kEventCosts[] = {{"device_s", "s"}, {"device_j", "J"}, {"unix_time", "s"}};

/// What to_settings of driver/api/description.hpp made of a description; throws FileError naming `file` where something
/// is missing or damaged.
DeviceInfo info_from(const Settings& flat, const std::string& file);

/// What is written in a note of `who`; throws FileError naming `file` where it is no list of settings.
Settings settings_in(std::span<const std::uint8_t> note, const std::string& who, const std::string& file);

/// Description and settings change: the note of what turns `before` into `now` - values that are others, "gone": keys
/// that are no more, joined by '|' - and its inverse, which says whether there was anything.
Settings changes(const Settings& before, const Settings& now);
bool apply_note(const Settings& note, Settings& state);

/// Values and records of parameters: "names", "NAME", "NAME.unit", "NAME.help", ...
Settings to_settings(const ParamSet& params);
ParamSet params_from(const Settings& flat, const std::string& owner, const std::string& file);

/// Whether frames and programmes of both are stored alike.
bool same_frames(const DeviceInfo& one, const DeviceInfo& other);

/// Codes of a stored input and output frame; with a transposed pass the larger of both.
std::vector<Index> stored_input(const DeviceInfo& info);
std::vector<Index> stored_output(const DeviceInfo& info);

}  // namespace lightloop::recording
