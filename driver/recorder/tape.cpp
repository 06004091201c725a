#include "driver/recorder/tape.hpp"

#include <algorithm>
#include <cmath>

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
  opened_ = info();
  const auto column = [&](const char* name) { return file_.read(std::string("/events/") + name).values; };
  const auto kind = column("kind"), first = column("first"), count = column("count"), id = column("first_frame_id"),
             pass = column("pass"), codes = column("codes"), saturated = column("saturated"),
             seconds = column("device_s"), joules = column("device_j"), times = column("unix_time");
  const std::size_t complete = std::min({kind.size(), first.size(), count.size(), id.size(), pass.size(), codes.size(),
                                         saturated.size(), seconds.size(), joules.size(), times.size()});
  for (std::size_t i = 0; i < complete; ++i) {
    const auto number = [&](const std::vector<double>& values, const char* name) {
      return whole(values[i], path, name, "event " + std::to_string(i));
    };
    if (!(kind[i] >= 0 && kind[i] <= static_cast<double>(Event::restore)))
      throw FileError(path, "event " + std::to_string(i) + " is of an unknown kind", "", "The file is damaged.");
    Entry entry{static_cast<Event>(kind[i]), number(first, "first"), number(count, "count")};
    entry.options.first_frame_id = static_cast<std::uint64_t>(number(id, "first_frame_id"));
    entry.options.pass = pass[i] == 0 ? Pass::forward : Pass::transposed;
    entry.report.frames = entry.count;
    entry.report.codes = number(codes, "codes");
    entry.report.saturated = number(saturated, "saturated");
    entry.report.device_s = seconds[i];
    entry.report.device_j = joules[i];
    if (entry.event == Event::run && entry.count > kMostFrames - frames_)
      throw FileError(path, "event " + std::to_string(i) + " has " + std::to_string(entry.count) + " frames", "",
                      "The file is damaged.");
    if (entry.event == Event::run) frames_ += entry.count;
    entries_.push_back(entry);
  }
  notes_ = file_.read_bytes("/notes/text");
  of_checks_ = file_.exists("/calls");
  if (of_checks_) read_calls();
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

Settings Tape::state(std::size_t end, const std::string& prefix) const {
  Settings all = below(start_, prefix);
  for (std::size_t i = 0; i < end; ++i) {
    const Entry& entry = entries_[i];
    if (entry.event != Event::configure) continue;
    const std::string who = "event " + std::to_string(i);
    const Settings note = settings_in(bytes(entry.first, entry.count, who), who, path());
    for (const auto& [key, value] : below(note, prefix)) all[key] = value;
  }
  return all;
}

DeviceInfo Tape::info_of(const Settings& state) const { return info_from(below(state, "info"), path()); }
ParamSet Tape::settings_of(const Settings& state) const {
  return params_from(below(state, "settings"), "replay:" + path(), path());
}
DeviceInfo Tape::info(std::size_t end) const { return info_from(state(end, "info"), path()); }
ParamSet Tape::settings(std::size_t end) const {
  return params_from(state(end, "settings"), "replay:" + path(), path());
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

Matrix<std::uint16_t> Tape::aux(Index first, Index count) const {
  Matrix<std::uint16_t> out(count, static_cast<Index>(opened_.aux_inputs.size()));
  if (out.size() > 0) file_.read_rows("/frames/aux", first, count, out.flat());
  return out;
}

}  // namespace lightloop::recording
