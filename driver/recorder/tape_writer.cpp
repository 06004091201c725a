#include "driver/recorder/tape_writer.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/api/description.hpp"

namespace lightloop::recording {
namespace {
using h5::Column;

constexpr std::size_t kInput = kFirstCost + std::size(kEventCosts), kOutput = kInput + 1, kNote = kOutput + 1;
constexpr Index kCallsPerChunk = 64;

Index size_of(const std::vector<Index>& shape) {
  Index n = 1;
  for (const Index side : shape) n *= side;
  return n;
}

Column::Kind code_kind(const FrameFormat& format) {
  return format.bytes() == 1 ? Column::Kind::uint8 : Column::Kind::uint16;
}

std::vector<Column> columns_for(const DeviceInfo& info) {
  using Kind = Column::Kind;
  std::vector<Column> columns = {{"/events/kind", Kind::uint8, {}, "1", kEvents}};
  for (const char* name : kEventNumbers)
    columns.push_back({std::string("/events/") + name, Kind::int64, {}, "1", kEvents});
  for (const auto& [name, unit] : kEventCosts)
    columns.push_back({std::string("/events/") + name, Kind::float64, {}, unit, kEvents});
  columns.push_back({"/frames/input", code_kind(info.input), stored_input(info), "1", kFrames});
  columns.push_back({"/frames/output", code_kind(info.output), stored_output(info), "1", kFrames});
  columns.push_back({"/notes/text", Kind::uint8, {kNoteBytes}, "1", kNotes});
  if (!info.aux_inputs.empty())
    columns.push_back({"/frames/aux", Kind::uint16, {static_cast<Index>(info.aux_inputs.size())}, "1", kFrames});
  if (info.program)
    columns.push_back({"/programmes/codes", code_kind(*info.program), info.program->shape, "1", kProgrammes});
  return columns;
}

std::vector<Column> joined(std::vector<Column> columns, const std::vector<Column>& more) {
  columns.insert(columns.end(), more.begin(), more.end());
  return columns;
}

std::vector<Index> chunks_for(const DeviceInfo& info, const std::vector<Column>& more) {
  constexpr Index kChunkBytes = 1 << 18;  // assumed: small beside memory, large beside the cost of one write
  const Index frame =
      size_of(stored_input(info)) * info.input.bytes() + size_of(stored_output(info)) * info.output.bytes();
  std::vector<Index> chunks = {kCallsPerChunk, std::clamp<Index>(kChunkBytes / frame, 1, 1024), 1, 16};
  for (const Column& column : more) chunks.resize(std::max(chunks.size(), column.table + 1), kCallsPerChunk);
  return chunks;
}

Settings attributes_for(const std::string& device, const DeviceInfo& info, const ParamSet& settings,
                        const Settings& more) {
  Settings all = state_of(info, settings, true);
  all["kind"] = std::string(kKind);
  all["format_version"] = kVersion;
  all["creator"] = std::string("lightloop");
  all["device"] = device;
  all["event_kinds"] = std::string("0 run, 1 configure, 2 program, 3 reset, 4 restore");
  for (const auto& [key, value] : more) all[key] = value;
  return all;
}
}  // namespace

Settings state_of(const DeviceInfo& info, const ParamSet& settings, bool with_records) {
  Settings all;
  for (auto& [key, value] : to_settings(info)) all["info." + key] = value;
  const Settings params = with_records ? to_settings(settings) : settings.all();
  for (auto& [key, value] : params) all["settings." + key] = value;
  return all;
}

TapeWriter::TapeWriter(const std::string& path, const std::string& device, const DeviceInfo& info,
                       const ParamSet& settings, const std::vector<Column>& more, const Settings& more_attributes)
    : opened_(info),
      first_more_(columns_for(info).size()),
      stream_(path, joined(columns_for(info), more), chunks_for(info, more),
              attributes_for(device, info, settings, more_attributes)),
      path_(path) {}

void TapeWriter::check_format(const DeviceInfo& now) const {
  if (!same_frames(now, opened_))
    throw Unsupported("recording " + path_, "the device's frames have changed", "one format per recording",
                      "Give settings that change the frames in the device string.");
}

/// One frame, filled up with zeros where the stored one is larger.
void TapeWriter::put_codes(std::size_t column, const ConstFrames& frames, Index frame, Index stored) {
  const auto put = [&](const auto* codes, auto& row) {
    const auto* from = codes + frame * frames.size;
    if (frames.size == stored) return stream_.put(column, std::span(from, static_cast<std::size_t>(stored)));
    row.assign(static_cast<std::size_t>(stored), 0);
    std::copy_n(from, frames.size, row.begin());
    stream_.put(column, std::span<const typename std::decay_t<decltype(row)>::value_type>(row));
  };
  if (frames.bytes == 1)
    put(static_cast<const std::uint8_t*>(frames.data), row8_);
  else
    put(static_cast<const std::uint16_t*>(frames.data), row16_);
}

Index TapeWriter::put_frames(const ConstFrames& in, const ConstFrames& out) {
  const Index first = stream_.rows(kFrames);
  const Index stored_in = size_of(stored_input(opened_)), stored_out = size_of(stored_output(opened_));
  for (Index i = 0; i < in.count; ++i) {
    put_codes(kInput, in, i, stored_in);
    put_codes(kOutput, out, i, stored_out);
    if (!opened_.aux_inputs.empty()) {
      aux_.resize(opened_.aux_inputs.size());
      for (std::size_t k = 0; k < aux_.size(); ++k)
        aux_[k] = in.aux.cols() > 0 ? in.aux(i, static_cast<Index>(k))
                                    : static_cast<std::uint16_t>(opened_.aux_inputs[k].rest);
      stream_.put(kNote + 1, std::span<const std::uint16_t>(aux_));
    }
    stream_.end_row(kFrames);
  }
  return first;
}

Index TapeWriter::put_programme(const ConstFrames& codes) {
  const Index first = stream_.rows(kProgrammes);
  put_codes(opened_.aux_inputs.empty() ? kNote + 1 : kNote + 2, codes, 0, codes.size);
  stream_.end_row(kProgrammes);
  return first;
}

Index TapeWriter::put_bytes(std::span<const std::byte> bytes) {
  const Index first = stream_.rows(kNotes);
  for (std::size_t at = 0; at < bytes.size(); at += kNoteBytes) {
    row8_.assign(kNoteBytes, 0);
    const auto part = bytes.subspan(at, std::min<std::size_t>(kNoteBytes, bytes.size() - at));
    std::ranges::transform(part, row8_.begin(), [](std::byte one) { return static_cast<std::uint8_t>(one); });
    stream_.put(kNote, std::span<const std::uint8_t>(row8_));
    stream_.end_row(kNotes);
  }
  return first;
}

}  // namespace lightloop::recording
