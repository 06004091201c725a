#include "driver/recorder/recording.hpp"

#include <algorithm>
#include <chrono>

#include "core/error.hpp"
#include "core/hdf5_stream.hpp"
#include "driver/api/description.hpp"
#include "driver/recorder/format.hpp"

namespace lightloop {
namespace {
using namespace recording;
using h5::Column;

Index size_of(const std::vector<Index>& shape) {
  Index n = 1;
  for (const Index side : shape) n *= side;
  return n;
}

Column::Kind code_kind(const FrameFormat& format) {
  return format.bytes() == 1 ? Column::Kind::uint8 : Column::Kind::uint16;
}

/// The columns of /events, in this order; `numbers` holds the whole ones between kind and costs.
constexpr const char* kNumbers[] = {"first", "count", "first_frame_id", "pass", "generation", "codes", "saturated"};
constexpr std::size_t kFirstCost = 1 + std::size(kNumbers);
constexpr std::size_t kInput = kFirstCost + 3, kOutput = kInput + 1, kNote = kOutput + 1;

std::vector<Column> columns_for(const DeviceInfo& info) {
  using Kind = Column::Kind;
  std::vector<Column> columns = {{"/events/kind", Kind::uint8, {}, "1", kEvents}};
  for (const char* name : kNumbers) columns.push_back({std::string("/events/") + name, Kind::int64, {}, "1", kEvents});
  columns.push_back({"/events/device_s", Kind::float64, {}, "s", kEvents});
  columns.push_back({"/events/device_j", Kind::float64, {}, "J", kEvents});
  columns.push_back({"/events/unix_time", Kind::float64, {}, "s", kEvents});
  columns.push_back({"/frames/input", code_kind(info.input), stored_input(info), "1", kFrames});
  columns.push_back({"/frames/output", code_kind(info.output), stored_output(info), "1", kFrames});
  columns.push_back({"/notes/text", Kind::uint8, {kNoteBytes}, "1", kNotes});
  if (!info.aux_inputs.empty())
    columns.push_back({"/frames/aux", Kind::uint16, {static_cast<Index>(info.aux_inputs.size())}, "1", kFrames});
  if (info.program)
    columns.push_back({"/programmes/codes", code_kind(*info.program), info.program->shape, "1", kProgrammes});
  return columns;
}

std::vector<Index> chunks_for(const DeviceInfo& info) {
  constexpr Index kChunkBytes = 1 << 18;  // assumed: small beside memory, large beside the cost of one write
  const Index frame =
      size_of(stored_input(info)) * info.input.bytes() + size_of(stored_output(info)) * info.output.bytes();
  return {64, std::clamp<Index>(kChunkBytes / frame, 1, 1024), 1, 16};
}

Settings flat(const Session& session, bool with_records) {
  Settings all;
  for (auto& [key, value] : to_settings(session.info())) all["info." + key] = value;
  const Settings params = with_records ? to_settings(session.settings()) : session.settings().all();
  for (auto& [key, value] : params) all["settings." + key] = value;
  return all;
}

Settings attributes_for(const Session& session) {
  Settings all = flat(session, true);
  all["kind"] = std::string(kKind);
  all["format_version"] = kVersion;
  all["creator"] = std::string("lightloop");
  all["device"] = session.address();
  all["event_kinds"] = std::string("0 run, 1 configure, 2 program, 3 reset, 4 restore");
  return all;
}
}  // namespace

struct Recording::Impl {
  const Session& session;
  DeviceInfo opened;  ///< as the columns were made
  Settings last;      ///< description and settings after the last event
  h5::Appender stream;
  std::string path;
  std::int64_t generation = 0;
  bool open = true;
  std::vector<std::uint8_t> row8 = {};
  std::vector<std::uint16_t> row16 = {}, aux = {};

  Impl(const std::string& name, const Session& recorded)
      : session(recorded),
        opened(session.info()),
        last(flat(session, false)),
        stream(name, columns_for(opened), chunks_for(opened), attributes_for(session)),
        path(name) {}

  /// The rows an event points at are in the file before the event is.
  void add(Event kind, Index first, Index count, const RunOptions& options = {}, const RunReport& report = {}) {
    stream.flush();
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::int64_t numbers[] = {first,
                                    count,
                                    static_cast<std::int64_t>(options.first_frame_id),
                                    options.pass == Pass::transposed,
                                    generation,
                                    report.codes,
                                    report.saturated};
    const double costs[] = {report.device_s, report.device_j, now};
    const auto code = static_cast<std::uint8_t>(kind);
    stream.put(0, std::span(&code, 1));
    for (std::size_t i = 0; i < std::size(numbers); ++i) stream.put(1 + i, std::span(&numbers[i], 1));
    for (std::size_t i = 0; i < std::size(costs); ++i) stream.put(kFirstCost + i, std::span(&costs[i], 1));
    stream.end_row(kEvents);
    stream.flush();
  }
  /// One frame, filled up with zeros where the stored one is larger.
  void put_codes(std::size_t column, const ConstFrames& frames, Index frame, Index stored) {
    const auto put = [&](const auto* codes, auto& row) {
      const auto* from = codes + frame * frames.size;
      if (frames.size == stored) return stream.put(column, std::span(from, static_cast<std::size_t>(stored)));
      row.assign(static_cast<std::size_t>(stored), 0);
      std::copy_n(from, frames.size, row.begin());
      stream.put(column, std::span<const typename std::decay_t<decltype(row)>::value_type>(row));
    };
    if (frames.bytes == 1)
      put(static_cast<const std::uint8_t*>(frames.data), row8);
    else
      put(static_cast<const std::uint16_t*>(frames.data), row16);
  }
  void put_aux(const ConstFrames& frames, Index frame) {
    if (opened.aux_inputs.empty()) return;
    aux.resize(opened.aux_inputs.size());
    for (std::size_t i = 0; i < aux.size(); ++i)
      aux[i] = frames.aux.cols() > 0 ? frames.aux(frame, static_cast<Index>(i))
                                     : static_cast<std::uint16_t>(opened.aux_inputs[i].rest);
    stream.put(kNote + 1, std::span<const std::uint16_t>(aux));
  }
};

Recording::Recording(std::string path, const Session& session) : impl_(std::make_unique<Impl>(path, session)) {}
Recording::~Recording() = default;

std::int64_t Recording::frames() const { return impl_->stream.rows(kFrames); }

void Recording::on_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options,
                       const RunReport& report) {
  Impl& to = *impl_;
  if (!to.open || in.count == 0) return;
  const Index first = to.stream.rows(kFrames);
  const Index stored_in = size_of(stored_input(to.opened)), stored_out = size_of(stored_output(to.opened));
  for (Index i = 0; i < in.count; ++i) {
    to.put_codes(kInput, in, i, stored_in);
    to.put_codes(kOutput, out, i, stored_out);
    to.put_aux(in, i);
    to.stream.end_row(kFrames);
  }
  to.add(Event::run, first, in.count, options, report);
}

void Recording::on_program(const ConstFrames& codes) {
  Impl& to = *impl_;
  if (!to.open) return;
  const Index first = to.stream.rows(kProgrammes);
  to.put_codes(to.opened.aux_inputs.empty() ? kNote + 1 : kNote + 2, codes, 0, codes.size);
  to.stream.end_row(kProgrammes);
  to.add(Event::program, first, 1);
}

void Recording::on_configure() {
  Impl& to = *impl_;
  if (!to.open) return;
  const DeviceInfo& now = to.session.info();
  if (now.input.shape != to.opened.input.shape || now.output.shape != to.opened.output.shape ||
      now.input.bits != to.opened.input.bits || now.output.bits != to.opened.output.bits)
    throw Unsupported("recording " + to.path, "the device's frames have changed", "one format per recording",
                      "Give settings that change the frames in the device string.");
  const Settings all = flat(to.session, false);
  Settings changes;
  for (const auto& [key, value] : all)
    if (to.last.at(key) != value) changes.insert({key, value});
  if (changes.empty()) return;
  ++to.generation;
  std::string text = format_settings(changes);
  const auto bytes = static_cast<Index>(text.size()), first = to.stream.rows(kNotes);
  text.resize(static_cast<std::size_t>((bytes + kNoteBytes - 1) / kNoteBytes * kNoteBytes));
  for (std::size_t at = 0; at < text.size(); at += kNoteBytes) {
    to.stream.put(kNote, std::span(reinterpret_cast<const std::uint8_t*>(text.data()) + at, kNoteBytes));
    to.stream.end_row(kNotes);
  }
  to.add(Event::configure, first, bytes);
  to.last = all;
}

void Recording::on_reset() {
  if (impl_->open) impl_->add(Event::reset, 0, 0);
}
void Recording::on_restore() {
  if (impl_->open) impl_->add(Event::restore, 0, 0);
}

void Recording::close() {
  impl_->open = false;
  impl_->stream.close();
}

std::shared_ptr<Recording> record(Session& session, std::string path) {
  auto recording = std::make_shared<Recording>(std::move(path), session);
  session.observe(recording);
  return recording;
}

}  // namespace lightloop
