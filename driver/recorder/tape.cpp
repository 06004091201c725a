#include "driver/recorder/tape.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"

namespace lightloop::recording {
namespace {
constexpr Index kMostFrames = Index{1} << 53;  ///< a recording of more would be exabytes

void check_kind(const h5::Reader& file) {
  const auto is = [&](const char* name, const Value& value) {
    return file.has_attribute("/", name) && file.attribute("/", name) == value;
  };
  if (!is("kind", std::string(kKind)))
    throw FileError(file.path(), "not a recording", "", "`lightloop train --record FILE` makes one.");
  if (!is("format_version", kVersion))
    throw FileError(file.path(),
                    "a recording of format version " + (file.has_attribute("/", "format_version")
                                                            ? to_string(file.attribute("/", "format_version"))
                                                            : std::string("unknown")),
                    "this program reads version " + std::to_string(kVersion),
                    "Use the version of Lightloop that wrote it.");
}

/// A number of /events or /calls as what it must be: whole, not negative, exactly a double.
std::int64_t whole(double value, const std::string& path, const char* column, const std::string& whose) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!(value >= 0 && value <= kExact) || value != std::floor(value))
    throw FileError(path, std::string(column) + " of " + whose + " is " + to_string(Value(value)), "",
                    "The file is damaged.");
  return static_cast<std::int64_t>(value);
}
}  // namespace

Tape::Tape(const std::string& path) : file_(path) {
  check_kind(file_);
  device_ = to_string(file_.attribute("/", "device"));
  for (const std::string& name : file_.attribute_names("/"))
    if (name.starts_with("info.") || name.starts_with("settings.")) start_[name] = file_.attribute("/", name);
  opened_ = info_of(start_);
  read_events();
  notes_ = file_.read_bytes("/notes/text");
  of_checks_ = file_.exists("/calls");
  if (of_checks_) read_calls();
}

void Tape::read_events() {
  std::vector<std::vector<double>> columns;
  const auto read = [&](const char* name) { columns.push_back(file_.read(std::string("/events/") + name).values); };
  read("kind");
  for (const auto& cost : kEventCosts) read(cost.name);
  const std::size_t numbers_at = columns.size();
  for (std::size_t c = 0; c < std::size(kEventNumbers); ++c) {
    if (c < kFirstNumbers || file_.exists(std::string("/events/") + kEventNumbers[c]))
      read(kEventNumbers[c]);
    else
      columns.emplace_back(columns[0].size(), 0.0);
  }
  std::size_t complete = columns[0].size();
  for (const auto& column : columns) complete = std::min(complete, column.size());
  for (std::size_t i = 0; i < complete; ++i) {
    const std::string who = "event " + std::to_string(i);
    std::int64_t numbers[std::size(kEventNumbers)];
    for (std::size_t c = 0; c < std::size(kEventNumbers); ++c)
      numbers[c] = whole(columns[numbers_at + c][i], path(), kEventNumbers[c], who);
    if (!(columns[0][i] >= 0 && columns[0][i] <= static_cast<double>(Event::restore)))
      throw FileError(path(), who + " is of an unknown kind", "", "The file is damaged.");
    Entry entry{static_cast<Event>(columns[0][i]), numbers[0], numbers[1]};
    entry.options.first_frame_id = static_cast<std::uint64_t>(numbers[2]);
    entry.options.pass = numbers[3] == 0 ? Pass::forward : Pass::transposed;
    entry.report.frames = entry.count;
    entry.report.codes = numbers[5];
    entry.report.saturated = numbers[6];
    entry.report.device_s = columns[1][i];
    entry.report.device_j = columns[2][i];
    const bool own_note = entry.event == Event::configure;  // where its rows are
    entry.note_first = own_note ? entry.first : numbers[7];
    entry.note_bytes = own_note ? entry.count : numbers[8];
    if (entry.event == Event::run && entry.count > kMostFrames - frames_)
      throw FileError(path(), who + " has " + std::to_string(entry.count) + " frames", "", "The file is damaged.");
    if (entry.event == Event::run) frames_ += entry.count;
    entries_.push_back(entry);
  }
}

void Tape::read_calls() {
  std::vector<std::vector<double>> columns;
  const auto read = [&](const std::string& name) { columns.push_back(file_.read("/calls/" + name).values); };
  read("kind");
  for (const char* name : kCallNumbers) read(name);
  read("device_s");
  read("device_j");
  Index end = 0;  // of the notes so far: no row belongs to two calls
  const auto own = [&](Index first, Index count, const std::string& who) {
    if (first < end) throw FileError(path(), who + " has the notes of another call", "", "The file is damaged.");
    const auto found = bytes(first, count, who);
    end = first + (count + kNoteBytes - 1) / kNoteBytes;
    return found;
  };
  std::size_t complete = columns[0].size();
  for (const auto& column : columns) complete = std::min(complete, column.size());
  for (std::size_t i = 0; i < complete; ++i) {
    const std::string who = "call " + std::to_string(i);
    std::int64_t numbers[std::size(kCallNumbers)];
    for (std::size_t c = 0; c < std::size(kCallNumbers); ++c)
      numbers[c] = whole(columns[1 + c][i], path(), kCallNumbers[c], who);
    if (!(columns[0][i] >= 0 && columns[0][i] <= static_cast<double>(CallKind::last)))
      throw FileError(path(), who + " is of an unknown kind", "", "The file is damaged, or of a later version.");
    Call call;
    call.kind = static_cast<CallKind>(columns[0][i]);
    call.device = numbers[0];
    call.first = numbers[1];
    call.count = numbers[2];
    call.first_frame_id = static_cast<std::uint64_t>(numbers[3]);
    call.pass = numbers[4] == 0 ? Pass::forward : Pass::transposed;
    call.report.frames = numbers[5];
    call.report.codes = numbers[6];
    call.report.saturated = numbers[7];
    call.report.device_s = columns[1 + std::size(kCallNumbers)][i];
    call.report.device_j = columns[2 + std::size(kCallNumbers)][i];
    const auto note = own(numbers[8], numbers[9], who);
    call.note = settings_in(note, who, path());
    if (!call.note.contains("asked")) throw FileError(path(), who + " has no note", "", "The file is damaged.");
    for (const std::uint8_t byte : own(numbers[10], numbers[11], who)) call.state.push_back(std::byte{byte});
    calls_.push_back(std::move(call));
  }
}

std::span<const std::uint8_t> Tape::bytes(Index first_row, Index count, const std::string& who) const {
  const auto from = static_cast<std::size_t>(first_row) * static_cast<std::size_t>(kNoteBytes);
  const auto n = static_cast<std::size_t>(count);
  if (static_cast<std::size_t>(first_row) > notes_.size() || from > notes_.size() || n > notes_.size() - from)
    throw FileError(path(), "/notes/text ends before " + who, "", "The file is damaged.");
  return std::span(notes_).subspan(from, n);
}

Settings Tape::note(std::size_t entry) const {
  const Entry& of = entries_[entry];
  if (of.note_bytes == 0 || of.event == Event::run || of.event == Event::reset) return {};
  const std::string who = "event " + std::to_string(entry);
  return settings_in(bytes(of.note_first, of.note_bytes, who), who, path());
}

Settings Tape::state(std::size_t end) const {
  Settings all = start_;
  for (std::size_t i = 0; i < end; ++i) apply_note(note(i), all);
  return all;
}

DeviceInfo Tape::info_of(const Settings& state) const { return info_from(below(state, "info"), path()); }
ParamSet Tape::settings_of(const Settings& state) const {
  return params_from(below(state, "settings"), "replay:" + path(), path());
}

void Tape::codes(const std::string& dataset, Index first, Index count, int bytes, Index size, FrameBuffer& out) const {
  out.resize(bytes, size, count);
  const Frames to = out.frames();
  const auto n = static_cast<std::size_t>(count * size);
  if (bytes == 1)
    file_.read_rows(dataset, first, count, std::span(to.u8().data(), n));
  else
    file_.read_rows(dataset, first, count, std::span(to.u16().data(), n));
}

void Tape::input(Index first, Index count, FrameBuffer& out) const {
  Index size = 1;
  for (const Index n : stored_input(opened_)) size *= n;
  codes("/frames/input", first, count, opened_.input.bytes(), size, out);
}

void Tape::output(Index first, Index count, FrameBuffer& out) const {
  Index size = 1;
  for (const Index n : stored_output(opened_)) size *= n;
  codes("/frames/output", first, count, opened_.output.bytes(), size, out);
}

void Tape::programme(Index row, FrameBuffer& out) const {
  if (!opened_.program) throw FileError(path(), "no programmes are stored", "", "The file is damaged.");
  codes("/programmes/codes", row, 1, opened_.program->bytes(), opened_.program->size(), out);
}

namespace {
const std::byte* frame_of(const ConstFrames& frames, Index i) {
  return static_cast<const std::byte*>(frames.data) + i * frames.size * frames.bytes;
}
}  // namespace

std::optional<Index> first_difference(const ConstFrames& got, Index i, const ConstFrames& stored, Index j) {
  if (std::memcmp(frame_of(got, i), frame_of(stored, j), static_cast<std::size_t>(got.size * got.bytes)) == 0)
    return {};
  for (Index k = 0; k < got.size; ++k)
    if (got.at(i, k) != stored.at(j, k)) return k;
  return {};
}

void copy_out(const ConstFrames& stored, const Frames& out) {
  for (Index i = 0; i < out.count; ++i)
    std::memcpy(static_cast<std::byte*>(out.data) + i * out.size * out.bytes, frame_of(stored, i),
                static_cast<std::size_t>(out.size * out.bytes));
}

Matrix<std::uint16_t> Tape::aux(Index first, Index count) const {
  Matrix<std::uint16_t> out(count, static_cast<Index>(opened_.aux_inputs.size()));
  if (out.size() > 0) file_.read_rows("/frames/aux", first, count, out.flat());
  return out;
}

}  // namespace lightloop::recording
