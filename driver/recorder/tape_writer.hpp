#pragma once
// The tables that all recordings share, as they are written. Internal to the recorder.
#include <span>
#include <string>
#include <vector>

#include "core/hdf5_stream.hpp"
#include "driver/recorder/format.hpp"

namespace lightloop::recording {

/// Description and settings as "info.*" and "settings.*", with the records of the settings or only their values.
Settings state_of(const DeviceInfo& info, const ParamSet& settings, bool with_records);

/// A recording that grows: frames, programmes, notes, and tables of calls that point at them.
class TapeWriter {
 public:
  /// The columns that every recording has come first. `more` are columns of further tables, from kNotes + 1 on, of 64
  /// rows per chunk; `more_attributes` go to the root beside those of every recording. Throws FileError.
  TapeWriter(const std::string& path, const std::string& device, const DeviceInfo& info, const ParamSet& settings,
             const std::vector<h5::Column>& more = {}, const Settings& more_attributes = {});

  const DeviceInfo& opened() const { return opened_; }  ///< as the columns were made
  /// Throws Unsupported when frames of another format are to come.
  void check_format(const DeviceInfo& now) const;
  std::size_t first_more() const { return first_more_; }  ///< the first column of `more`
  h5::Appender& stream() { return stream_; }

  /// Each returns the first row written.
  Index put_frames(const ConstFrames& in, const ConstFrames& out);
  Index put_programme(const ConstFrames& codes);
  Index put_bytes(std::span<const std::byte> bytes);  ///< to /notes, filled up with zeros

 private:
  void put_codes(std::size_t column, const ConstFrames& frames, Index frame, Index stored);

  DeviceInfo opened_;
  std::size_t first_more_;
  h5::Appender stream_;
  std::string path_;
  std::vector<std::uint8_t> row8_ = {};
  std::vector<std::uint16_t> row16_ = {}, aux_ = {};
};

/// Columns of /events from 0 on: the kind, whole numbers, costs.
inline constexpr std::size_t kFirstCost = 1 + std::size(kEventNumbers);

}  // namespace lightloop::recording
