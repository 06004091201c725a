#pragma once
// A recording as it is read: its events in memory, its frames fetched as needed.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/hdf5.hpp"
#include "driver/recorder/call.hpp"
#include "driver/recorder/format.hpp"

namespace lightloop::recording {

/// One call that the session made.
struct Entry {
  Event event = Event::run;
  Index first = 0, count = 0;  ///< rows of /frames or /programmes; the first row and the bytes of a note
  RunOptions options = {};
  RunReport report = {};  ///< of a programme its time and energy; older files hold zeros
  Index note_first = 0, note_bytes = 0;
};

/// Reads what `Recording` wrote, also when its writer was killed; rows no event points at are left out.
class Tape {
 public:
  /// Throws FileError for a file that is missing, damaged, of another kind or of a later version.
  explicit Tape(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::string& device() const { return device_; }  ///< the device string that was recorded
  const std::vector<Entry>& entries() const { return entries_; }
  Index frames() const { return frames_; }  ///< in all runs together
  /// What an entry changed, for apply_note(); empty where it changed nothing. Throws FileError.
  Settings note(std::size_t entry) const;
  /// "info.*" and "settings.*" before entry `end`.
  Settings state(std::size_t end) const;

  /// Whether it is a recording of the conformance suite, which has calls instead of entries.
  bool of_checks() const { return of_checks_; }
  const std::vector<Call>& calls() const { return calls_; }
  /// "info.*" and "settings.*" at the start, and what such settings say.
  const Settings& start() const { return start_; }
  DeviceInfo info_of(const Settings& state) const;
  ParamSet settings_of(const Settings& state) const;
  const DeviceInfo& opened() const { return opened_; }  ///< as frames are stored

  /// `count` stored frames from row `first`; resizes `out`. Frames of a transposed pass are padded with zeros.
  void input(Index first, Index count, FrameBuffer& out) const;
  void output(Index first, Index count, FrameBuffer& out) const;
  void programme(Index row, FrameBuffer& out) const;
  Matrix<std::uint16_t> aux(Index first, Index count) const;

 private:
  void read_events();
  void read_calls();
  /// Bytes of /notes from a row on; throws FileError, naming what points at them.
  std::span<const std::uint8_t> bytes(Index first_row, Index count, const std::string& who) const;
  void codes(const std::string& dataset, Index first, Index count, int bytes, Index size, FrameBuffer& out) const;
  h5::Reader file_;
  std::string device_;
  Settings start_;  ///< "info.*" and "settings.*" at the start
  std::vector<Entry> entries_;
  bool of_checks_ = false;
  std::vector<Call> calls_;
  std::vector<std::uint8_t> notes_;
  DeviceInfo opened_;
  Index frames_ = 0;
};

/// Stored frames may be longer than those of a call, of the same bytes per code. The first code of frame `i` of `got`
/// that is another than that of frame `j` of `stored`; nothing where they are alike.
std::optional<Index> first_difference(const ConstFrames& got, Index i, const ConstFrames& stored, Index j);
/// As many stored frames as `out` has, as far as its frames go.
void copy_out(const ConstFrames& stored, const Frames& out);

}  // namespace lightloop::recording
