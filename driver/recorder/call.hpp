#pragma once
// One call that the conformance suite made of a device, as it is recorded and as it is replayed. Internal to
// recordings.
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/device.hpp"
#include "driver/recorder/format.hpp"

namespace lightloop::recording {

enum class CallKind : std::uint8_t {
  claim,  ///< no call: those that follow are of this claim
  open,
  run,
  configure,
  program,
  reset,
  restore,
  snapshot,
  self_test,
  monitors,
  members,
  run_members,
  close,
  last = close
};
inline constexpr const char* kCallKinds =
    "0 claim, 1 open, 2 run, 3 configure, 4 program, 5 reset, 6 restore, 7 snapshot, 8 self_test, 9 monitors, "
    "10 members, 11 run_members, 12 close";

inline constexpr std::size_t kCalls = kNotes + 1;  ///< the table
/// Its whole numbers, behind the kind; device_s and device_j follow.
inline constexpr const char* kCallNumbers[] = {"device",     "first",      "count",       "first_frame_id",
                                               "pass",       "frames",     "codes",       "saturated",
                                               "note_first", "note_bytes", "state_first", "state_bytes"};

struct Call {
  CallKind kind = CallKind::claim;
  std::int64_t device = 0;           ///< the how manyth opened within its claim; of a claim: 0
  Index first = 0, count = 0;        ///< rows of /frames or /programmes; count 0: not kept
  std::uint64_t first_frame_id = 0;  ///< told for the reader; what was asked is in the note
  Pass pass = Pass::forward;
  RunReport report = {};
  /// "asked"; "error.*" where it was refused; what apply_note() takes; what else was answered.
  Settings note = {};
  std::vector<std::byte> state = {};  ///< that a snapshot() returned

  bool refused() const { return note.contains("error.kind"); }
};

/// What was asked, in words: equal for equal calls but for the codes themselves.
std::string asked_open(const Settings& settings);
std::string asked_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options);
std::string asked_configure(const Settings& changes);
std::string asked_members(const std::vector<Settings>& members);
std::string asked_program(const ConstFrames& codes);
std::string asked_restore(const std::vector<std::byte>& state);
/// Stands for codes that are not kept themselves.
std::string digest(const ConstFrames& frames);

/// Whether frames can be kept among those of a device described as `opened`.
bool can_keep(const DeviceInfo& opened, const ConstFrames& in, const ConstFrames& out, Pass pass);
bool can_keep(const DeviceInfo& opened, const ConstFrames& programme);

/// The class and the parts of an exception; the inverse throws it again.
void put_error(const std::exception& error, Settings& note);
[[noreturn]] void raise(const Settings& note);

}  // namespace lightloop::recording
