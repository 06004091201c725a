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

/// A number of /events as what it must be: whole, not negative, exactly a double.
std::int64_t whole(double value, const std::string& path, const char* column, std::size_t event) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!(value >= 0 && value <= kExact) || value != std::floor(value))
    throw FileError(path, std::string(column) + " of event " + std::to_string(event) + " is " + to_string(Value(value)),
                    "", "The file is damaged.");
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
      return whole(values[i], path, name, i);
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
}

Settings Tape::state(std::size_t end, const std::string& prefix) const {
  Settings all = below(start_, prefix);
  for (std::size_t i = 0; i < end; ++i) {
    const Entry& entry = entries_[i];
    if (entry.event != Event::configure) continue;
    const auto bytes = static_cast<std::size_t>(entry.count);
    const auto from = static_cast<std::size_t>(entry.first) * static_cast<std::size_t>(kNoteBytes);
    if (static_cast<std::size_t>(entry.first) > notes_.size() || from > notes_.size() || bytes > notes_.size() - from)
      throw FileError(path(), "/notes/text ends before event " + std::to_string(i), "", "The file is damaged.");
    const std::string text(notes_.begin() + static_cast<std::ptrdiff_t>(from),
                           notes_.begin() + static_cast<std::ptrdiff_t>(from + bytes));
    for (const auto& [key, value] : below(parse_settings(text), prefix)) all[key] = value;
  }
  return all;
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
